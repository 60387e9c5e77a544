# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleError, AnsibleLookupError
from lbkit import Mistake

from ansible_collections.lbkit.core.plugins.module_utils import _lbkit
from ansible_collections.lbkit.core.plugins.plugin_utils import _lookup


class Words(str):
    """As Ansible marks what it read."""

    __slots__ = ()


def test_a_definition_is_plain_data():
    plain = _lookup.plain({Words("a"): [Words("b"), 1, None, True, {"c": (1.5,)}]})
    assert plain == {"a": ["b", 1, None, True, {"c": [1.5]}]}
    assert [type(each) for each in (next(iter(plain)), plain["a"][0])] == [str, str]


def test_an_error_of_the_library_is_the_lookups_with_all_its_fields():
    with pytest.raises(AnsibleLookupError) as raised, _lookup.failing():
        raise Mistake("a name was to be known", found="wep", where="web.yml", remedy="did you mean 'web'?")
    for words in ("web.yml", "a name was to be known", "wep", "did you mean 'web'?"):
        assert words in str(raised.value)


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(_lbkit, "lbkit", None)
    with pytest.raises(AnsibleError, match="lbkit-iac"), _lookup.failing():
        pytest.fail("nothing is asked for")
