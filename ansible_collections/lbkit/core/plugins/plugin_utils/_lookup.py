# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lookups in a topology have in common. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping

from ansible.errors import AnsibleLookupError

from ansible_collections.lbkit.core.plugins.plugin_utils import _library


def failing():
    """What the library raises on purpose ends the lookup, in its own words."""
    return _library.failing(lambda words, _: AnsibleLookupError(words))


def scope_of(lookup):
    """The checked topology that `source` or `definition` of it says."""
    from lbkit import load, load_data

    source, definition = lookup.get_option("source"), lookup.get_option("definition")
    if definition is not None:
        return load_data(plain(definition), lookup._loader.path_dwim(lookup.get_option("folder")))
    if source is None:
        raise AnsibleLookupError(
            "a topology was to be told by `source` or `definition`, or by the variable lbkit_source"
        )
    return load(lookup._loader.path_dwim(source))


def plain(value):
    """`value` without what Ansible knows of where it comes from: templates within are what they give."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return str(value) if isinstance(value, str) else value
