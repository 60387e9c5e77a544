# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader

DEFINITION = {
    "lbkit": 1,
    "name": "unit",
    "networks": {"in": {"cidr": ["10.9.0.0/24", "fd00:9::/64"]}, "out": {"cidr": "10.8.0.0/24"}},
    "machines": {"web": {"count": 2, "networks": ["in", "out"]}},
}


@pytest.fixture
def lookup(tmp_path):
    loader = DataLoader()
    loader.set_basedir(str(tmp_path))
    (tmp_path / "unit.yml").write_text(str(DEFINITION))  # YAML has Python's braces
    return lookup_loader.get("lbkit.core.address", loader=loader)


def test_a_file_and_a_definition_say_the_same(lookup):
    told = lookup.run(["web"], {}, source="unit.yml")
    assert len(set(told)) == 2
    assert told == lookup.run(["web-1", "web-2"], {}, definition=DEFINITION)
    assert told == lookup.run(["web"], {"lbkit_source": "unit.yml"})


def test_options_say_which_addresses(lookup):
    def asked(term, **options):
        return lookup.run([term], {}, definition=DEFINITION, **options)

    assert len(asked("web-1", every=True)) == 3
    (second,) = asked("web-1", family="ipv6", prefix=True)
    assert second.startswith("fd00:9:")
    assert second.endswith("/64")
    assert asked("web-1/out") == asked("web-1", every=True)[2:]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "lbkit_source"),
        ({"definition": {"lbkit": 1}}, "name"),
        ({"definition": DEFINITION, "family": "ipv5"}, "ipv5"),
        ({"source": "away.yml"}, "away.yml"),
        ({"definition": DEFINITION, "sorce": "x"}, "wep"),
    ],
)
def test_what_cannot_be_meant_is_told(lookup, options, words):
    with pytest.raises(AnsibleError, match=words):
        lookup.run(["wep"], {}, **options)
