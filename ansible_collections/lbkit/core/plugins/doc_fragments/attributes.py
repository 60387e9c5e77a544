# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Of a module that plans, and then does what it planned; `lbkit.core.attributes.info` is one that only looks."""

    DOCUMENTATION = r"""
options: {}
requirements:
  - lbkit-iac
attributes:
  check_mode:
    description: Can run in check mode and return what would change, without changing anything.
    support: full
    details: Check mode is the plan; the same plan is carried out otherwise.
  diff_mode:
    description: Returns what has changed, or would change in check mode.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: linux
  action_group:
    description: Is part of the action group C(lbkit.core.all), for C(module_defaults).
    support: full
    membership:
      - lbkit.core.all
"""

    INFO = r"""
options: {}
requirements:
  - lbkit-iac
attributes:
  check_mode:
    description: Can run in check mode and return what would change, without changing anything.
    support: full
  diff_mode:
    description: Returns what has changed, or would change in check mode.
    support: N/A
    details: Changes nothing.
  idempotent:
    description: A second run changes nothing.
    support: full
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: linux
  action_group:
    description: Is part of the action group C(lbkit.core.all), for C(module_defaults).
    support: full
    membership:
      - lbkit.core.all
"""
