#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: topology_scale
short_description: Change how many machines a group has, in the topology's file and in the world
description:
  - Changes C(count) of groups of machines in a topology's file, all else of which stays as it is, byte for byte, and applies that.
  - The plan is made of what the file would be, before anything is written. The file is written once the plan is to be carried out. Killed in
    between, the same task again comes to its end.
  - Who joins serves once its checks have passed. Who leaves drains first, for the backend's C(drain_timeout) at most.
  - Where the file has more than that which was not applied yet, the task fails, tells what it is, and changes nothing.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.attributes
  - lbkit.core.progress
options:
  file:
    description:
      - Path of the topology, YAML or JSON, on the host where the module runs.
      - A count must be written out at its group, neither taken over from elsewhere by an alias or a merge nor meant elsewhere, too.
    type: path
    required: true
  counts:
    description:
      - How many machines each of these groups shall have.
      - Of a group without C(count) that is V(1) and nothing else, for of several the first has another name than it.
    type: dict
    required: true
  run_dir:
    description:
      - Where lbkit keeps what runs.
      - Give the same one at every call for one topology.
      - By default C(/run/lbkit).
    type: path
  lock_timeout:
    description:
      - How long to wait for another apply of this topology on the same host to end, such as V(30) or V(2m).
      - V(0) is not at all.
    type: str
    default: "0"
  prove:
    description:
      - While something is changed, send steady requests to all frontends, as M(lbkit.core.topology) does.
      - The task fails where one is lost, and says at which step. Not in check mode.
    type: bool
    default: false
notes:
  - Runs as root on a host, or as anybody inside C(lbkit sandbox).
seealso:
  - module: lbkit.core.topology
"""

EXAMPLES = r"""
- name: Four web servers, whatever there are now
  lbkit.core.topology_scale:
    file: /etc/lbkit/web.yml
    counts:
      web: 4
    lock_timeout: 1m

- name: Fewer of one and more of another, in one plan, and fail where a client loses a request
  lbkit.core.topology_scale:
    file: /etc/lbkit/web.yml
    counts:
      web: 2
      api: 3
    prove: true
"""

RETURN = r"""
plan:
  description:
    - The changes that were carried out, or would be in check mode, in the schema C(lbkit.plan/1), as M(lbkit.core.topology) returns it.
  returned: success
  type: dict
lines:
  description: The file's lines that were, or would be, changed. None where the file says so already.
  returned: success
  type: list
  elements: dict
  contains:
    group:
      description: Whose count it is.
      type: str
    line:
      description: Its number in the file, from 1.
      type: int
    before:
      description: The count before.
      type: int
    after:
      description: The count after.
      type: int
proof:
  description: What the requests met that were sent meanwhile, as M(lbkit.core.topology) returns it.
  returned: when O(prove=true) and something was changed
  type: dict
error:
  description:
    - What was wanted, found, where, and what to do.
    - When an apply stopped half-way, also RV(ignore:done) and RV(ignore:not_done), lists of changes in words. The file then says what was wanted.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbkit.core.plugins.module_utils import _lbkit


def run(module):
    from pathlib import Path

    from lbkit import Host, apply_scale, plan_scale
    from lbkit.faces.options import count_of

    params = module.params
    host = Host(run_dir=Path(params["run_dir"])) if params["run_dir"] else Host()
    counts = {group: count_of(group, said) for group, said in params["counts"].items()}
    if module.check_mode:
        scaled = plan_scale(params["file"], counts, host)
    else:
        wait = _lbkit.wait_of(module, "lock_timeout")
        prove = params["prove"]
        with _lbkit.following(module) as follow:
            scaled = apply_scale(
                params["file"], counts, host, lock_timeout=wait, prove=prove, watch=follow.applied
            )
    header = f"topology {scaled.plan.topology}"
    more = {"lines": [line.as_data() for line in scaled.lines]}
    if scaled.result is not None and scaled.result.proof is not None:
        more["proof"] = scaled.result.proof.as_data()
    result = _lbkit.result_of(module, scaled.plan, f"{header} now", f"{header} as scaled", **more)
    result["changed"] = bool(scaled)
    if module._diff:
        before, after = scaled.file_before_and_after()
        result["diff"]["before"] = before + result["diff"]["before"]
        result["diff"]["after"] = after + result["diff"]["after"]
    return result


def main():
    module = AnsibleModule(
        argument_spec={
            "file": {"type": "path", "required": True},
            "counts": {"type": "dict", "required": True},
            "run_dir": {"type": "path"},
            "lock_timeout": {"type": "str", "default": "0"},
            "prove": {"type": "bool", "default": False},
            **_lbkit.PROGRESS,
        },
        supports_check_mode=True,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
