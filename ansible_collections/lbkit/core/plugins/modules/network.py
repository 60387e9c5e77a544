#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: network
short_description: Make one network of a topology stand as declared, or remove it
description:
  - A bridge of this host with its addresses, its MTU and its NAT, as the topology declares it.
  - A bridge that lbkit did not make is never changed or deleted. Where it stands on the network's name, the task fails and names it.
    O(lbkit.core.topology#module:adopt) of M(lbkit.core.topology) takes it over.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.source
  - lbkit.core.part
  - lbkit.core.attributes
  - lbkit.core.progress
seealso:
  - module: lbkit.core.topology
  - module: lbkit.core.topology_info
"""

EXAMPLES = r"""
- name: Make the network that clients come from, before anything else
  lbkit.core.network:
    file: /etc/lbkit/web.yml
    name: front

- name: Remove it, where no machine is on it any more
  lbkit.core.network:
    file: /etc/lbkit/web.yml
    name: front
    state: absent
"""

RETURN = r"""
plan:
  description:
    - The changes that were carried out, or would be in check mode, in the schema C(lbkit.plan/1).
    - RV(ignore:plan.changes) has each with its resource, action, impact, reason, wave, steps, before and after; what
      it needs is among them.
    - Described in C(docs/plan-schema.md), with a JSON Schema.
  returned: success
  type: dict
status:
  description:
    - How it is after the task; in check mode, how it is now. One row of kind C(network).
    - Rows as M(lbkit.core.topology_info) has them. Empty when O(state=absent).
  returned: success
  type: list
  elements: dict
  sample:
    - {kind: network, name: front, present: true, health: up, detail: "bridge web.front, 10.80.0.1/24, 3 ports, nat"}
error:
  description:
    - What was wanted, found, where, and what to do.
    - When an apply stopped half-way, also RV(ignore:done) and RV(ignore:not_done), lists of changes in words. Where something else
      needs what was to be removed, RV(ignore:needed), by what stays what it needs.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbkit.core.plugins.module_utils import _lbkit, _part


def run(module):
    return _part.part(module, "network")


def main():
    module = AnsibleModule(
        argument_spec=_part.PART,
        supports_check_mode=True,
        **_lbkit.CONSTRAINTS,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
