#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: topology_info
short_description: Tell how a topology stands, and what its addresses are
description:
  - The plan that M(lbkit.core.topology) would carry out now, the status of everything, and every address that
    was declared or allocated, and what is held out of use by hand. Changes nothing.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.source
  - lbkit.core.attributes.info
seealso:
  - module: lbkit.core.topology
"""

EXAMPLES = r"""
- name: Ask how it stands
  lbkit.core.topology_info:
    file: /etc/lbkit/web.yml
  register: web

- name: Stop where something is to be done or is down
  ansible.builtin.assert:
    that:
      - not web.plan.changes
      - web.status | rejectattr('health', 'in', ['up', 'unknown']) | length == 0
"""

RETURN = r"""
plan:
  description: As M(lbkit.core.topology) returns it.
  returned: success
  type: dict
status:
  description: As M(lbkit.core.topology) returns it.
  returned: success
  type: list
  elements: dict
digest:
  description: Of all that the topology declares, with the contents of its files. The same as long as that is the same.
  returned: success
  type: str
addresses:
  description: What the topology's names resolve to.
  returned: success
  type: dict
  contains:
    networks:
      description: The prefixes of each network.
      type: dict
      sample: {"front": ["10.80.0.0/24"]}
    entries:
      description: By reference, each machine of a group, or a load balancer's virtual address.
      type: dict
      sample: {"machines.web": [{"name": "web-1", "addresses": {"back": ["10.80.1.2"]}}]}
holds:
  description: What somebody holds out of use by C(lbkit hold), and every apply leaves so.
  returned: success
  type: list
  elements: dict
  sample:
    - path: shop/web/web-3
      reason: disk fails
      by: root
      since: "2030-01-31T12:00:00+00:00"
      until: "2030-01-31T14:00:00+00:00"
error:
  description: What was wanted, found, where, and what to do.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbkit.core.plugins.module_utils import _lbkit


def run(module):
    from lbkit import digest, holds, plan

    scope, host = _lbkit.scope_and_host(module)
    return {
        "plan": plan(scope, host).as_data(),
        "status": _lbkit.status_of(scope, host),
        "digest": digest(scope, host),
        "addresses": scope.book.as_data(),
        "holds": [hold.as_data() for hold in holds(scope, host)],
    }


def main():
    module = AnsibleModule(argument_spec=dict(_lbkit.SOURCE), supports_check_mode=True, **_lbkit.CONSTRAINTS)
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
