#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror
short_description: Make one mirror of a topology stand as declared, or remove it
description:
  - What its machines run for it, with their files. That is the keeper on its master, an agent on each node, and what serves all mirrors
    of a machine. Machines and networks that it needs are made where they do not stand yet.
  - A backend of its nodes is a part of its load balancer (M(lbkit.core.haproxy)). Without the mirror it has no server in use.
  - Removed, the mirror's content goes with it, but for content below a O(ignore:path) that the topology declares. What serves other
    mirrors, too, stays.
  - When content is fetched, and what is served, is not for this module but for M(lbkit.core.mirror_sync).
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.source
  - lbkit.core.part
  - lbkit.core.attributes
  - lbkit.core.progress
seealso:
  - module: lbkit.core.mirror_sync
  - module: lbkit.core.mirror_info
  - module: lbkit.core.haproxy
"""

EXAMPLES = r"""
- name: Have the machines run what the mirror needs
  lbkit.core.mirror:
    file: /etc/lbkit/mirrors.yml
    name: debian

- name: Fetch what upstream has
  lbkit.core.mirror_sync:
    file: /etc/lbkit/mirrors.yml
    mirror: debian
    wait: 10m

- name: Give it up, with its content
  lbkit.core.mirror:
    file: /etc/lbkit/mirrors.yml
    name: debian
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
    - How it is after the task; in check mode, how it is now. Rows of kinds C(mirror) and C(mirror-node).
    - Rows as M(lbkit.core.topology_info) has them. Empty when O(state=absent).
  returned: success
  type: list
  elements: dict
  sample:
    - {kind: mirror, name: debian, present: true, health: up, detail: "generation 12 on 3 of 3 nodes"}
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
    return _part.part(module, "mirror")


def main():
    module = AnsibleModule(
        argument_spec=_part.PART,
        supports_check_mode=True,
        **_lbkit.CONSTRAINTS,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
