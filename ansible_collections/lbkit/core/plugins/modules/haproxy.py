#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy
short_description: Make one load balancer of a topology stand as declared, or remove it
description:
  - Its HAProxy on each of its machines, with the whole configuration, certificates and maps, and its virtual address. What runs takes
    the smallest transition that comes to it, by the runtime socket where that can.
  - Machines, services and networks that it needs are made where they do not stand yet. DNS that points at it is left as it is.
  - For a HAProxy that lbkit does not run there are M(lbkit.core.haproxy_backend), M(lbkit.core.haproxy_server) and others.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.source
  - lbkit.core.part
  - lbkit.core.attributes
  - lbkit.core.progress
options:
  prove:
    description:
      - While something is changed, send steady requests to all frontends of the topology, through the virtual address where there is one.
      - The task fails where one is lost, and says at which step.
      - Not in check mode, and not with O(state=absent).
    type: bool
    default: false
seealso:
  - module: lbkit.core.topology
  - module: lbkit.core.haproxy_backend
  - module: lbkit.core.haproxy_info
"""

EXAMPLES = r"""
- name: Change the load balancer alone, and fail where a client loses a request
  lbkit.core.haproxy:
    file: /etc/lbkit/web.yml
    name: shop
    prove: true

- name: Remove it from its machines
  lbkit.core.haproxy:
    file: /etc/lbkit/web.yml
    name: shop
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
proof:
  description:
    - What the requests met that were sent meanwhile, as M(lbkit.core.topology) has it. Where the task fails because of them, it is
      in RV(ignore:error).
  returned: when O(prove=true) and something was changed
  type: dict
status:
  description:
    - How it is after the task; in check mode, how it is now. Rows of kinds C(haproxy), C(vip) and C(server).
    - Rows as M(lbkit.core.topology_info) has them. Empty when O(state=absent).
  returned: success
  type: list
  elements: dict
  sample:
    - {kind: haproxy, name: lb-1/shop, present: true, health: up, detail: "3/3 servers up, 0 sessions, HAProxy 2.6.12"}
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
    return _part.part(module, "load_balancer", prove=module.params["prove"])


def main():
    module = AnsibleModule(
        argument_spec={**_part.PART, "prove": {"type": "bool", "default": False}},
        supports_check_mode=True,
        **_lbkit.CONSTRAINTS,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
