#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_info
short_description: Tell what mirrors have, what their nodes serve, and how their runs went
description:
  - Asks the masters of a topology's mirrors. Changes nothing.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.source
  - lbkit.core.attributes.info
options:
  mirror:
    description:
      - The one to ask, by its name in the topology. The task fails where its master does not answer.
      - By default all are asked, and RV(mirrors[].error) says which of them do not answer.
    type: str
  log:
    description: How many of its last runs to tell of each mirror, 500 at most. V(0) tells none.
    type: int
    default: 5
seealso:
  - module: lbkit.core.mirror_sync
"""

EXAMPLES = r"""
- name: Ask how the mirrors are
  lbkit.core.mirror_info:
    file: /etc/lbkit/mirrors.yml
  register: asked

- name: Stop where one of them wants a person
  ansible.builtin.assert:
    that:
      - asked.mirrors | rejectattr('error', 'none') | length == 0
      - asked.mirrors | selectattr('status.alarms') | length == 0

- name: Ask which generations can be gone back to
  lbkit.core.mirror_info:
    file: /etc/lbkit/mirrors.yml
    mirror: debian
    log: 0
  register: debian
"""

RETURN = r"""
mirrors:
  description: Each mirror, by name.
  returned: success
  type: list
  elements: dict
  contains:
    mirror:
      description: Its name.
      type: str
    status:
      description:
        - As C(lbkit mirror status --json) prints it. Null where its master does not answer.
        - C(committed) and C(newest) have a C(serial) and a C(digest), C(generations) those that stand, C(nodes) what each node has and
          serves, C(next) when the next run is, C(held) what holds runs, C(alarms) what wants a person.
      type: dict
    runs:
      description: The last ones, the newest first, as C(lbkit mirror log --json) prints them.
      type: list
      elements: dict
    error:
      description: Why its master does not answer. Null where it does.
      type: dict
error:
  description: What was wanted, found, where, and what to do.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbkit.core.plugins.module_utils import _lbkit


def run(module):
    from lbkit import mirror_states as states

    scope, host = _lbkit.scope_and_host(module)
    told = states.tell(scope, host, mirror=module.params["mirror"], last=module.params["log"])
    return {"mirrors": [each.as_data() for each in told]}


def main():
    module = AnsibleModule(
        argument_spec={
            **_lbkit.SOURCE,
            "mirror": {"type": "str"},
            "log": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
        **_lbkit.CONSTRAINTS,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
