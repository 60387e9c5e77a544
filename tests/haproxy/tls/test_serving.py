"""Which certificates are served now: what HAProxy says, and what a client is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lbkit
from lbkit import haproxies
from lbkit.base.errors import Failure, Mistake
from tests.haproxy.tls.authority import Authority
from tests.haproxy.world import VIP, World

pytestmark = pytest.mark.sandbox

ROOT = Authority()


def test_what_the_files_have_what_haproxy_has_and_what_clients_are_shown(
    world: World, tmp_path: Path
) -> None:
    names = {"a": ["a.example.org"], "wild": ["*.w.example.org"], "rsa": ["a.example.org"]}
    issued = {
        name: ROOT.issue(*each, days=9, kind="RSA" if name == "rsa" else "EC") for name, each in names.items()
    }
    for name, one in issued.items():
        one.write(tmp_path / f"{name}.pem")
    world.shop["certificates"] = {name: {"file": str(tmp_path / f"{name}.pem")} for name in issued}
    world.shop["frontends"]["https"] = {"bind": {"port": 443, "tls": ["a", "wild", "rsa"]}, "backend": "web"}
    world.shop["frontends"]["vip"] = {
        "bind": {"port": 8443, "address": VIP, "tls": ["a"]},
        "backend": "web",
    }
    found = lbkit.served_certificates(world.scope, world.host)
    assert {(each.served, bool(each.trouble), each.current) for each in found} == {(None, True, False)}
    world.apply()
    found = lbkit.served_certificates(world.scope, world.host)
    assert {(each.machine, each.name) for each in found} == {
        (machine, name) for machine in ("lb-1", "lb-2") for name in issued
    }
    for each in found:
        assert each.current, each
        assert each.served is not None
        assert each.served["sha1"] == issued[each.name].fingerprint == each.declared["sha1"]
        assert each.declared["files"] == [str(tmp_path / f"{each.name}.pem")]
        assert 8 * 86400 < each.served["seconds_left"] <= 9 * 86400
        # at the virtual address the other one may answer
        assert [(at.port, at.trouble) for at in each.shown] == [(443, "")]
    assert "PRIVATE" not in json.dumps([each.as_data() for each in found])

    renewed = ROOT.issue("a.example.org", days=90)
    renewed.write(tmp_path / "a.pem")
    found = [each for each in lbkit.served_certificates(world.scope, world.host) if each.name == "a"]
    assert [each.current for each in found] == [False, False]
    assert {each.declared["sha1"] for each in found} == {renewed.fingerprint}
    assert {each.served["sha1"] for each in found if each.served} == {issued["a"].fingerprint}

    shown = haproxies.presented(VIP, 443, "x.w.example.org")
    assert (shown["sha1"], shown["names"]) == (issued["wild"].fingerprint, ["*.w.example.org"])
    assert haproxies.presented(VIP, 443)["sha1"] == issued["a"].fingerprint
    with pytest.raises(Failure, match="a TLS handshake for x was to tell") as caught:
        haproxies.presented(VIP, 80, "x")
    assert caught.value.where == f"{VIP}:80"
    with pytest.raises(Failure, match="a TLS server was to listen"):
        haproxies.presented(VIP, 7)
    for port, timeout in ((0, 1.0), (70000, 1.0), (443, 0.0)):
        with pytest.raises(Mistake, match="was to be"):
            haproxies.presented(VIP, port, timeout=timeout)
