# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules of one thing of a topology have in common. Private to this collection; documented by the fragment lbkit.core.part."""

from __future__ import annotations

from glob import escape

from ansible_collections.lbkit.core.plugins.module_utils import _lbkit

PART = {
    **_lbkit.SOURCE,
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "lock_timeout": {"type": "str", "default": "0"},
    **_lbkit.PROGRESS,
}


def part(module, noun, *, prove=False):
    """What a task returns that had one thing stand as declared, or removed it; `noun` is the language's word for it."""
    from lbkit import apply, plan, status

    scope, host = _lbkit.scope_and_host(module)
    name = module.params["name"]
    only = [f"{noun}/{escape(name)}"]
    absent = module.params["state"] == "absent"
    proof = None
    if module.check_mode:
        planned = plan(scope, host, absent=absent, only=only)
    else:
        wait = _lbkit.wait_of(module, "lock_timeout")
        more = {"lock_timeout": wait, "prove": prove}
        with _lbkit.following(module) as follow:
            applied = apply(scope, host, absent=absent, only=only, watch=follow.applied, **more)
        planned, proof = applied.plan, applied.proof
    more = {"status": [] if absent else [row.as_data() for row in status(scope, host, only=only)]}
    if proof is not None:
        more["proof"] = proof.as_data()
    header = f"{noun.replace('_', ' ')} {name} of {scope.name}"
    after = f"{header} gone" if absent else f"{header} as declared"
    return _lbkit.result_of(module, planned, f"{header} now", after, **more)
