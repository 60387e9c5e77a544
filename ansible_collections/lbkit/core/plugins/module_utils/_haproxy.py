# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules of one HAProxy have in common. Private to this collection."""

from __future__ import annotations

SOCKET = {
    "socket": {"type": "str", "required": True},
    "timeout": {"type": "float", "default": 10.0},
}
