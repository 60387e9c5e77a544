#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: topology
short_description: Make a topology of load balancers stand as declared
description:
  - Networks, machines, HAProxy, virtual addresses and DNS come from one declaration and change by one plan,
    in one safe order. What stands already as declared is left alone.
  - What lbkit did not make is never changed or deleted. Where it stands on a wanted name, the task fails and
    names it, unless O(adopt) says to take it over.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.source
  - lbkit.core.attributes
  - lbkit.core.progress
options:
  state:
    description:
      - V(present) makes the topology stand as declared.
      - V(absent) removes all that it owns, and nothing else.
    type: str
    choices: [present, absent]
    default: present
  adopt:
    description: Things that lbkit did not make and shall take over, each as C(KIND/NAME).
    type: list
    elements: str
    default: []
  only:
    description:
      - These things alone, and what they need, each as C(KIND) or C(KIND/NAME), as the topology calls them,
        such as V(network/front), V(machine/web) for a group, V(load_balancer/shop), V(mirror/debian) or V(zone/example.org).
        Patterns such as V(machine/web-*), too, and resources as plans name them.
      - What else is declared is left as it is.
      - With O(state=absent) these things go, and what lives and dies with them. The task fails and names what else stands and
        needs them, before anything is touched.
    type: list
    elements: str
    default: []
  lock_timeout:
    description:
      - How long to wait for another apply of this topology on the same host to end, such as V(30) or V(2m).
      - V(0) is not at all.
    type: str
    default: "0"
  prove:
    description:
      - While something is changed, send steady requests to all frontends, through the virtual address where there is one.
      - The task fails where one is lost, and says at which step.
      - Not in check mode, and not with O(state=absent).
    type: bool
    default: false
seealso:
  - module: lbkit.core.topology_info
"""

EXAMPLES = r"""
- name: Bring up the topology
  lbkit.core.topology:
    file: /etc/lbkit/web.yml

- name: Declare it in the play
  lbkit.core.topology:
    definition:
      lbkit: 1
      name: lab
      networks:
        front:
          cidr: 10.80.0.0/24
      machines:
        web:
          count: 2
          networks: [front]

- name: Take over a bridge that was made by hand
  lbkit.core.topology:
    file: /etc/lbkit/web.yml
    adopt:
      - network/front
    lock_timeout: 30s

- name: Change it, and fail where a client loses a request
  lbkit.core.topology:
    file: /etc/lbkit/web.yml
    prove: true

- name: Make the web servers alone, and what they need
  lbkit.core.topology:
    file: /etc/lbkit/web.yml
    only:
      - machine/web

- name: Remove a load balancer and the names that lead to it
  lbkit.core.topology:
    file: /etc/lbkit/web.yml
    state: absent
    only:
      - load_balancer/shop
      - zone/example.org

- name: Remove it
  lbkit.core.topology:
    file: /etc/lbkit/web.yml
    state: absent
"""

RETURN = r"""
plan:
  description:
    - The changes that were carried out, or would be in check mode, in the schema C(lbkit.plan/1).
    - Described in C(docs/plan-schema.md), with a JSON Schema.
  returned: success
  type: dict
  contains:
    schema:
      description: C(lbkit.plan/1).
      type: str
    topology:
      description: The topology's name.
      type: str
    impact:
      description: What clients notice at worst, V(none), V(hitless), V(reload) or V(disruptive).
      type: str
    summary:
      description: How many changes there are of each action.
      type: dict
    changes:
      description: Each change with its resource, action, impact, reason, wave, steps, before and after.
      type: list
      elements: dict
    notes:
      description: What one should know that is no change.
      type: list
      elements: str
proof:
  description:
    - What the requests met that were sent meanwhile. Where the task fails because of them, it is in RV(ignore:error).
  returned: when O(prove=true) and something was changed
  type: dict
  contains:
    sent:
      description: How many requests there were of what answered before, downloads too.
      type: int
    failed:
      description: How many of them got no whole answer, or one that says that a proxy had no server.
      type: int
    slow:
      description: How many took longer than RV(proof.slow_after) seconds.
      type: int
    cut:
      description: How many downloads ended short.
      type: int
    slowest:
      description: Seconds of the slowest request.
      type: float
    seconds:
      description: How long was asked.
      type: float
    slow_after:
      description: Seconds from which on a request is slow.
      type: float
    targets:
      description: The same for each address and port, with where it was asked from.
      type: list
      elements: dict
    failures:
      description: The first that were lost, each with its time and the step at which it happened.
      type: list
      elements: dict
    notes:
      description: What was not proved, and why.
      type: list
      elements: str
status:
  description: How everything is after the task; in check mode, how it is now. Empty when O(state=absent).
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: What kind of thing it is.
      type: str
    name:
      description: Its name among its kind.
      type: str
    present:
      description: Whether it stands as declared.
      type: bool
    health:
      description: Whether it works, V(up), V(degraded), V(down) or V(unknown).
      type: str
    detail:
      description: In words.
      type: str
    facts:
      description: The numbers behind it.
      type: dict
error:
  description:
    - What was wanted, found, where, and what to do.
    - When an apply stopped half-way, also RV(ignore:done) and RV(ignore:not_done), lists of changes in words.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbkit.core.plugins.module_utils import _lbkit


def run(module):
    from lbkit.faces.options import adopted

    params = module.params
    scope, host = _lbkit.scope_and_host(module)
    adopt = [] if params["state"] == "absent" else adopted(params["adopt"])
    header = f"topology {scope.name}"
    return _lbkit.standing(
        module, scope, host, header, only=params["only"], adopt=adopt, prove=params["prove"]
    )


def main():
    module = AnsibleModule(
        argument_spec={
            **_lbkit.SOURCE,
            **_lbkit.PROGRESS,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "adopt": {"type": "list", "elements": "str", "default": []},
            "only": {"type": "list", "elements": "str", "default": []},
            "lock_timeout": {"type": "str", "default": "0"},
            "prove": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
        **_lbkit.CONSTRAINTS,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
