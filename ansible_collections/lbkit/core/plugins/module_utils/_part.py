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
    scope, host = _lbkit.scope_and_host(module)
    name = module.params["name"]
    only = [f"{noun}/{escape(name)}"]
    header = f"{noun.replace('_', ' ')} {name} of {scope.name}"
    return _lbkit.standing(module, scope, host, header, only=only, prove=prove, shown=only)
