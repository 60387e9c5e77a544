# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several modules share."""

from __future__ import annotations

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.lbkit.core.plugins.module_utils import _dns, _haproxy, _lbkit
from ansible_collections.lbkit.core.tests.unit.plugins.module_utils.fake import Ended, FakeModule

KEY = {"name": "lbkit", "algorithm": "hmac-sha256", "secret_file": None, "secret": "c2VjcmV0"}


def validated(spec, given, **rules):
    return ArgumentSpecValidator(spec, **rules).validate(given)


def test_a_zone_has_a_server_and_where_it_is_guarded_a_key():
    plain = _dns.zone_server(FakeModule(server="10.0.0.1", port=53, zone="example.test", key=None))
    assert (plain.server, plain.port, plain.key) == ("10.0.0.1", 53, None)
    keyed = _dns.zone_server(FakeModule(server="10.0.0.1", port=5353, zone="example.test", key=KEY))
    assert keyed.port == 5353
    assert "c2VjcmV0" not in repr(keyed)


@pytest.mark.parametrize(
    "key", [{"name": "a"}, {"name": "a", "secret": "b", "secret_file": "/c"}, {"secret": "b"}]
)
def test_a_key_has_a_name_and_one_secret(key):
    given = {"server": "10.0.0.1", "zone": "example.test", "key": key}
    assert validated(_dns.SERVER, given).error_messages


def test_a_secret_is_known_as_one():
    given = {"server": "10.0.0.1", "zone": "example.test", "key": {"name": "a", "secret": "c2VjcmV0"}}
    result = validated(_dns.SERVER, given)
    assert not result.error_messages
    assert "c2VjcmV0" in result._no_log_values


def test_a_topology_is_a_file_or_a_definition():
    for given in ({}, {"file": "a", "definition": {}}, {"file": "a", "folder": "b"}):
        assert validated(_lbkit.SOURCE, given, **_lbkit.CONSTRAINTS).error_messages
    for given in ({"file": "a"}, {"definition": {}}, {"definition": {}, "folder": "b"}):
        assert not validated(_lbkit.SOURCE, given, **_lbkit.CONSTRAINTS).error_messages


def test_a_socket_is_asked_for_ten_seconds():
    assert validated(_haproxy.SOCKET, {"socket": "/s"}).validated_parameters["timeout"] == 10.0
    assert _haproxy.seconds(FakeModule(drain_timeout="2m"), "drain_timeout") == 120
    with pytest.raises(Ended) as raised:
        _haproxy.seconds(FakeModule(drain_timeout="long"), "drain_timeout")
    assert "drain_timeout" in raised.value.told["msg"]
