#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_sync
short_description: Have a mirror fetch what upstream has, go back, or go on
description:
  - A run of the mirror's master makes a generation of what upstream has now, and nodes serve it once it is committed. The task waits for that.
  - The topology stands already (M(lbkit.core.topology)); runs by its own schedule need no task.
  - What a run was held back from, or could not do, fails the task in its own words. What serves serves on.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.source
  - lbkit.core.attributes
  - lbkit.core.progress
attributes:
  check_mode:
    support: full
    details: Compares with upstream before a byte moves. Fails where another run is under way, and where the mirror's guards would hold the run.
options:
  mirror:
    description: The mirror's name in the topology.
    type: str
    required: true
  state:
    description:
      - V(synced) runs once, after a run that is under way. Where upstream is as the newest generation nothing is changed.
      - V(rolled_back) has nodes serve what they served before, under a new serial, and holds all runs until V(released). A mirror that is
        rolled back already stays as it is.
      - V(released) has runs go on as declared after a rollback. It fetches nothing by itself.
      - V(synced) fails where runs are held, so that no playbook takes back a person's rollback by chance.
    type: str
    choices: [synced, rolled_back, released]
    default: synced
  serial:
    description:
      - The generation to go back to, with O(state=rolled_back). M(lbkit.core.mirror_info) tells those that stand.
      - By default the newest of other content before the committed one.
    type: int
  anyway:
    description:
      - Run whatever the mirror's guards say, on your word.
      - Look at what would change before. Check mode tells it.
    type: bool
    default: false
  wait:
    description:
      - How long nodes may take until they have a new generation, such as V(30), V(30s) or V(2m). The task fails where they take longer,
        and they get it all the same.
      - V(0) does not wait for them. For the run itself the task always waits.
    type: str
    default: 2m
seealso:
  - module: lbkit.core.mirror_info
  - module: lbkit.core.topology
"""

EXAMPLES = r"""
- name: Fetch what upstream has, until the nodes serve it
  lbkit.core.mirror_sync:
    file: /etc/lbkit/mirrors.yml
    mirror: debian
    wait: 10m

- name: Go back to what was served before
  lbkit.core.mirror_sync:
    file: /etc/lbkit/mirrors.yml
    mirror: debian
    state: rolled_back

- name: Let runs go on
  lbkit.core.mirror_sync:
    file: /etc/lbkit/mirrors.yml
    mirror: debian
    state: released

- name: Sync though upstream lost more than the guards allow
  lbkit.core.mirror_sync:
    file: /etc/lbkit/mirrors.yml
    mirror: debian
    anyway: true
"""

RETURN = r"""
mirror:
  description: Its name.
  returned: success
  type: str
state:
  description: As it was given.
  returned: success
  type: str
files:
  description: How many files a sync added, changed and deleted, or would in check mode.
  returned: when O(state=synced)
  type: dict
  sample: {"added": 12, "changed": 3, "deleted": 1}
to:
  description: The generation whose content was gone back to, or would be in check mode.
  returned: when O(state=rolled_back), and something is changed
  type: int
held:
  description: What holds runs from here on. When O(state=released), what held them before. Null where nothing does.
  returned: success, but in check mode only when O(state=released)
  type: dict
  sample: {"why": "rollback", "serial": 11, "digest": "5e88...", "since": 1790000000.0}
plan:
  description: What a sync would do, with the first 100 paths of each kind, as C(lbkit mirror plan --json) prints it.
  returned: in check mode, when O(state=synced)
  type: dict
run:
  description: The run as its evidence has it, with what came of it, and why. Also where the task fails because of it.
  returned: when there was a run
  type: dict
  sample: {"id": "20300131T120000Z-000001", "cause": "person", "came": "made", "why": "", "added": 12, "changed": 3, "deleted": 1}
serial:
  description: The newest generation. Also where the task fails because of a run.
  returned: when there was a run
  type: int
committed:
  description: Whether that is committed, and so is served.
  returned: when there was a run
  type: bool
have:
  description: Nodes that have it.
  returned: when there was a run
  type: list
  elements: str
serving:
  description: Nodes that serve it.
  returned: when there was a run
  type: list
  elements: str
error:
  description: What was wanted, found, where, and what to do.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbkit.core.plugins.module_utils import _lbkit


def run(module):
    from lbkit import mirror_states as states

    params = module.params
    scope, host = _lbkit.scope_and_host(module)
    wait = _lbkit.wait_of(module, "wait")
    wanted = states.Wanted(params["mirror"], params["state"], params["anyway"], params["serial"])
    try:
        if module.check_mode:
            came = states.foresee(scope, wanted, host)
        else:
            with _lbkit.following(module) as follow:
                came = states.reach(scope, wanted, host, wait=wait, watch=follow.run)
    except states.Unfinished as error:
        _lbkit.fail(module, error, changed=states.changed(error.synced), **error.synced.as_data())
    result = came.as_data()
    if module._diff:
        before, after = came.before_and_after()
        header = f"mirror {came.mirror}"
        result["diff"] = {
            "before": before,
            "after": after,
            "before_header": f"{header} now",
            "after_header": f"{header} {came.state}",
        }
    return result


def main():
    module = AnsibleModule(
        argument_spec={
            **_lbkit.SOURCE,
            **_lbkit.PROGRESS,
            "mirror": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["synced", "rolled_back", "released"], "default": "synced"},
            "serial": {"type": "int"},
            "anyway": {"type": "bool", "default": False},
            "wait": {"type": "str", "default": "2m"},
        },
        supports_check_mode=True,
        **_lbkit.CONSTRAINTS,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
