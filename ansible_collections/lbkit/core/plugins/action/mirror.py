# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.lbkit.core.plugins.plugin_utils._progress import ProgressAction


class ActionModule(ProgressAction):
    """The module of this name, with its progress."""
