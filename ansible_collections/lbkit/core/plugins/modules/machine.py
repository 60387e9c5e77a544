#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machine
short_description: Have a machine of a topology run as declared, or stop, restart, replace or remove it
description:
  - A namespace of this host or a virtual machine, as the topology declares it; or all machines of a group, at the same time.
  - Other machines are left as they are.
  - What is stopped stays declared. The next apply of the topology starts it again, and C(lbkit watch) does so at once.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.source
  - lbkit.core.attributes
  - lbkit.core.progress
attributes:
  idempotent:
    support: partial
    details: O(state=restarted) and O(state=replaced) are done each time.
options:
  name:
    description:
      - The machine's name in the topology, such as V(web-1), or its group's, such as V(web).
      - Of a name that is both, the machine is meant.
    type: str
    required: true
  state:
    description:
      - V(present) has it as declared and running, with all that runs in it. So one that was stopped is started.
      - V(absent) removes it, with all that is in it. It stays declared, unless it is taken out of the topology's file.
      - V(stopped) keeps traffic of load balancers from it, lets all that runs in it finish, and switches it off. Its files stay, or
        its disk. What does not stand at all is not made for that.
      - V(restarted) stops it in the same way, and has it run again, each time. One that does not run is started.
      - V(replaced) makes it anew, each time. A virtual machine runs until a new one has taken over from it, and its disk
        goes with it. A namespace is stopped before, its files go, and it is made again.
    type: str
    choices: [present, absent, stopped, restarted, replaced]
    default: present
  timeout:
    description:
      - How long all that runs in it has to finish with O(state=stopped) and O(state=restarted), such as V(30s) or V(2m). What has not
        finished by then is killed, and RV(notes) says so.
      - It counts from when load balancers have taken their traffic away, for which each backend's own C(drain_timeout) holds.
    type: str
    default: 60s
  at_once:
    description:
      - With O(state=stopped) and O(state=restarted), as by a power cut. It is cut off its networks and killed, and nobody is told.
      - For a drill, or where it does harm.
    type: bool
    default: false
  lock_timeout:
    description:
      - How long to wait for another apply of this topology on the same host to end, such as V(30) or V(2m).
      - V(0) is not at all.
    type: str
    default: "0"
  prove:
    description:
      - While something is changed, and once more afterwards, send steady requests to all frontends, through the virtual address where
        there is one.
      - The task fails where one is lost, but with O(at_once=true), which is to show what is lost.
      - Not in check mode, and not with O(state=absent).
    type: bool
    default: false
seealso:
  - module: lbkit.core.topology
  - module: lbkit.core.machine_image
  - plugin: lbkit.core.machine_state
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Stop a web server for work on it, after half a minute at most
  lbkit.core.machine:
    file: /etc/lbkit/web.yml
    name: web-1
    state: stopped
    timeout: 30s

- name: Start it again
  lbkit.core.machine:
    file: /etc/lbkit/web.yml
    name: web-1

- name: See what happens when a load balancer loses its power
  lbkit.core.machine:
    file: /etc/lbkit/web.yml
    name: lb-1
    state: stopped
    at_once: true
    prove: true
  register: cut

- name: Have new web servers, one after the other
  lbkit.core.machine:
    file: /etc/lbkit/web.yml
    name: "{{ item }}"
    state: replaced
  loop: [web-1, web-2, web-3]
"""

RETURN = r"""
plan:
  description:
    - The changes that were carried out, or would be in check mode, in the schema C(lbkit.plan/1).
    - A stop is a change with C(action) V(update). What runs in a machine that is started, restarted or replaced is among the changes.
    - Described in C(docs/plan-schema.md), with a JSON Schema.
  returned: success
  type: dict
notes:
  description: What one should know of how it went, such as what was killed when its time was up.
  returned: success
  type: list
  elements: str
  sample: ["machine web-1: app did not finish within 30 s: killed"]
proof:
  description:
    - What the requests met that were sent meanwhile, as M(lbkit.core.topology) returns it.
    - Its C(slowest) is how long a client waited at most, in seconds, its C(failed) how many requests were lost.
    - Where the task fails because of them, it is in RV(ignore:error).
  returned: when O(prove=true) and something was changed
  type: dict
status:
  description:
    - How it is after the task, with the services that it declares; in check mode, how it is now.
    - Rows as M(lbkit.core.topology_info) has them. Empty when O(state=absent).
  returned: success
  type: list
  elements: dict
  sample:
    - {kind: machine, name: web-1, present: true, health: up, detail: 10.80.1.17}
error:
  description:
    - What was wanted, found, where, and what to do.
    - When it stopped half-way, also RV(ignore:done) and RV(ignore:not_done), lists of changes in words. Where something else
      needs what was to be removed, RV(ignore:needed), by what stays what it needs.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbkit.core.plugins.module_utils import _lbkit

WORDS = {
    "present": "as declared",
    "absent": "gone",
    "stopped": "stopped",
    "restarted": "restarted",
    "replaced": "replaced",
}


def run(module):
    from lbkit import machines

    params = module.params
    name, state = params["name"], params["state"]
    scope, host = _lbkit.scope_and_host(module)
    wanted = machines.Wanted(name, state, within=_lbkit.wait_of(module, "timeout"), at_once=params["at_once"])
    notes, more = [], {}
    if module.check_mode:
        planned = machines.plan_machine(scope, wanted, host)
    else:
        wait = _lbkit.wait_of(module, "lock_timeout")
        prove = params["prove"]
        with _lbkit.following(module) as follow:
            applied = machines.apply_machine(
                scope, wanted, host, lock_timeout=wait, prove=prove, watch=follow.applied
            )
        planned, notes = applied.plan, list(applied.notes)
        if applied.proof is not None:
            more["proof"] = applied.proof.as_data()
    rows = [] if state == "absent" else [row.as_data() for row in machines.rows(scope, name, host)]
    header = f"machine {name}"
    after = f"{header} {WORDS[state]}"
    return _lbkit.result_of(module, planned, f"{header} now", after, notes=notes, status=rows, **more)


def main():
    module = AnsibleModule(
        argument_spec={
            **_lbkit.SOURCE,
            **_lbkit.PROGRESS,
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": list(WORDS), "default": "present"},
            "timeout": {"type": "str", "default": "60s"},
            "at_once": {"type": "bool", "default": False},
            "lock_timeout": {"type": "str", "default": "0"},
            "prove": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
        **_lbkit.CONSTRAINTS,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
