# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules of one HAProxy have in common. Private to this collection."""

from __future__ import annotations

SOCKET = {
    "socket": {"type": "str", "required": True},
    "timeout": {"type": "float", "default": 10.0},
}


def seconds(module, name):
    """An option of time, "30", "30s" or "2m"."""
    from lbkit.faces.options import wait_of

    try:
        return wait_of(module.params[name])
    except ValueError as error:
        module.fail_json(msg=f"{name} was to be {error}, not {module.params[name]!r}")
