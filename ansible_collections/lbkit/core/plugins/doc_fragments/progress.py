# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Of a module whose action plugin shows how it goes."""

    DOCUMENTATION = r"""
options:
  progress_file:
    description:
      - For the action plugin of this module, which sets it. Nobody else need.
      - A file, on the host where the module runs and owned by who it runs as, to which the module appends a line of JSON for each
        change as it begins and ends. It makes none, so nothing is told until one is there.
    type: path
notes:
  - A run that takes longer than a second shows how it goes, change by change, on Ansible's standard error where that is a
    terminal. The variable C(lbkit_progress), or the environment variable E(LBKIT_PROGRESS) where Ansible runs, says V(true) or
    V(false) to that.
  - Nothing is shown in check mode, with C(async), and with C(no_log).
"""
