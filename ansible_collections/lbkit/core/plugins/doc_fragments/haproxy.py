# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Of a module that asks one HAProxy by its runtime socket; `module_utils/_haproxy.py` has the same options."""

    DOCUMENTATION = r"""
options:
  socket:
    description:
      - HAProxy's runtime socket, as the host sees it where the module runs.
      - A path such as V(/run/haproxy/admin.sock), or V(HOST:PORT), with an IPv6 address in brackets.
      - It must be of level C(admin) in HAProxy's configuration.
    type: str
    required: true
  timeout:
    description: Seconds that HAProxy may be silent before the task fails.
    type: float
    default: 10.0
"""
