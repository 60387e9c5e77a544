# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The library on the controller, for plugins. Private to this collection."""

from __future__ import annotations

from contextlib import contextmanager

from ansible.errors import AnsibleError
from ansible.module_utils.basic import missing_required_lib

from ansible_collections.lbkit.core.plugins.module_utils import _lbkit


@contextmanager
def failing(kind):
    """What the library raises on purpose becomes what `kind` makes of its words and of itself."""
    if _lbkit.lbkit is None:
        raise AnsibleError(
            missing_required_lib(
                "lbkit-iac", reason="to know lbkit's machines: the Python of Ansible needs it"
            )
        )
    try:
        yield
    except _lbkit.lbkit.LbkitError as error:
        raise kind(str(error), error) from error
