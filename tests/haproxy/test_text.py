from __future__ import annotations

import re
import subprocess
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lbkit.base.errors import Bug
from lbkit.haproxy.config.make import config_of
from lbkit.haproxy.config.sections import (
    Backend,
    Bind,
    Config,
    Defaults,
    Frontend,
    Global,
    Server,
)
from lbkit.haproxy.spec.balance import BALANCE, OF_HTTP, algorithm_of
from lbkit.haproxy.text.digest import digest_in
from lbkit.haproxy.text.render import render
from lbkit.haproxy.text.words import word
from lbkit.haproxy.transition.written import sections, server_names
from tests.haproxy.topologies import Document, balancer, document, resolved, with_
from tests.health.strategies import checks

GOLDEN = Path(__file__).with_name("golden")
SHOP = "load_balancers.shop"

CASES: dict[str, tuple[Document, str | None]] = {
    "web": (document(), "haproxy"),
    "sandbox": (document(), None),
    "tcp": (
        document(
            load_balancers={
                "shop": balancer(
                    vip=None,
                    machines="web",
                    frontends={
                        "smtp": {
                            "bind": ["10.80.1.21:25", "127.0.0.1:2525"],
                            "mode": "tcp",
                            "backend": "mail",
                            "maxconn": 100,
                            "timeouts": {"client": "5m"},
                        }
                    },
                    backends={
                        "mail": {
                            "balance": "source",
                            "servers": [{"name": "mx", "address": "fd00::25", "port": 25, "maxconn": 10}],
                            "health_check": {"port": 2525, "interval": "500ms"},
                            "retries": 1,
                            "timeouts": {"server": "5m"},
                        }
                    },
                    maxconn=2000,
                    log_level="info",
                    hard_stop_after="1h",
                )
            }
        ),
        None,
    ),
    "sessions": (
        document(
            load_balancers={
                "shop": balancer(
                    frontends={
                        "http": {"bind": ["10.80.0.10:80", "[fd00:80::10]:80"], "backend": "web"},
                        "api": {
                            "bind": 8000,
                            "backend": "api",
                            "forwarded_for": False,
                            "timeouts": {"http_request": "2s", "http_keep_alive": "1s"},
                        },
                    },
                    backends={
                        "web": {"servers": [{"machines": "web", "port": 80}], "cookie": "SRV"},
                        "api": {
                            "balance": "hdr(X-Key)",
                            "servers": [{"machines": "web", "port": 81, "weight": 0}],
                            "health_check": False,
                        },
                    },
                )
            }
        ),
        "haproxy",
    ),
}


def text_of(data: Document, user: str | None) -> str:
    return render(config_of(resolved(data), mark="lbkit:web:haproxy/lb-1/shop", user=user))


def accepts(text: str, folder: Path) -> str:
    """What HAProxy finds wrong with a configuration."""
    path = folder / "haproxy.cfg"
    path.write_text(text)
    (folder / "servers.state").write_text("1\n")
    done = subprocess.run(
        ["haproxy", "-c", "-f", path], cwd=folder, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 and "[WARNING]" not in done.stderr else done.stderr + text


@pytest.mark.parametrize("name", CASES)
def test_the_text_is_as_agreed_and_haproxy_accepts_it(name: str, tmp_path: Path) -> None:
    data, user = CASES[name]
    text = text_of(data, user)
    assert text == (GOLDEN / f"{name}.cfg").read_text()
    assert (
        accepts(text.replace("user haproxy", "user root").replace("group haproxy", "group root"), tmp_path)
        == ""
    )


def test_the_text_is_the_same_every_time() -> None:
    assert text_of(document(), None) == text_of(document(), None)


def test_haproxys_own_http_client_trusts_nobody_less_where_raw_lines_may_use_it() -> None:
    assert "httpclient.ssl.verify none" in text_of(document(), None)
    assert "httpclient" not in text_of(with_(f"{SHOP}.raw", ["tune.idletimer 0"]), None)


def test_the_text_carries_a_digest_of_what_only_a_reload_changes() -> None:
    text = text_of(document(), None)
    other = text_of(with_(f"{SHOP}.backends.web.retries", 1), None)
    reweighted = text_of(with_(f"{SHOP}.backends.web.servers.1.weight", 11), None)
    assert digest_in(text)
    assert digest_in(text) != digest_in(other)
    assert digest_in(text) == digest_in(reweighted)  # that is read back from the process itself
    assert digest_in("description of somebody else") is None


def test_members_differ_in_their_owner_mark_alone() -> None:
    shop = resolved(document())
    one, two = (
        render(config_of(shop, mark=f"lbkit:web:haproxy/{name}/shop", user=None)) for name in ("lb-1", "lb-2")
    )
    differing = [pair for pair in zip(one.splitlines(), two.splitlines(), strict=True) if pair[0] != pair[1]]
    assert [line.split()[0] for line, _ in differing] == ["#", "description"]


@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\x1b", "\x85", "\u2028"])
def test_what_would_end_a_line_is_a_bug(character: str) -> None:
    with pytest.raises(Bug, match="control characters"):
        word(f"a{character}b")


@pytest.mark.parametrize("written", ["", "a b", "a#b", 'a"b', "a'b", "a\\b", "$HOME", "'", "é"])
def test_words_are_quoted_so_that_haproxy_reads_them_back(written: str, tmp_path: Path) -> None:
    """By HAProxy's own eyes: an unknown keyword is repeated in its error, quotes resolved."""
    (tmp_path / "c.cfg").write_text(f"global\n    x{word(written)}y\n")
    done = subprocess.run(
        ["haproxy", "-c", "-f", "c.cfg"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert f"unknown keyword 'x{written}y'" in done.stderr


labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
addresses = st.one_of(
    st.integers(0x0A000001, 0x0AFFFFFE).map(IPv4Address),
    st.integers(0xFD00 << 112, (0xFD00 << 112) + 2**64).map(IPv6Address),
)
ports = st.integers(1, 65535)
milliseconds = st.integers(1, 86_400_000)
balances = st.from_regex(BALANCE, fullmatch=True)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    mode = draw(st.sampled_from(["http", "tcp"]))
    servers = st.lists(
        st.builds(
            Server,
            labels,
            addresses,
            ports,
            st.integers(0, 256),
            st.booleans(),
            st.none() | st.integers(1, 1000),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda server: server.name,
    )
    web_algorithms = balances.filter(
        lambda each: algorithm_of(each)[0] not in ({"rdp-cookie"} if mode == "http" else OF_HTTP)
    )
    backends = draw(
        st.lists(
            st.builds(
                Backend,
                labels,
                st.just(mode),
                web_algorithms,
                servers.map(tuple),
                st.none() | checks,
                labels,
                st.dictionaries(st.sampled_from(["connect", "server", "queue", "tunnel"]), milliseconds),
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda backend: backend.name,
        )
    )
    binds = st.lists(
        st.builds(Bind, st.none() | addresses, ports, st.booleans(), st.booleans()), min_size=1, max_size=3
    )
    frontends = draw(
        st.lists(
            st.builds(
                Frontend,
                labels,
                st.just(mode),
                binds.map(tuple),
                st.sampled_from([backend.name for backend in backends]),
                st.none() | st.integers(1, 10_000),
                st.dictionaries(st.sampled_from(["client", "http-request", "http-keep-alive"]), milliseconds),
                st.booleans() if mode == "http" else st.just(False),
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda frontend: frontend.name,
        )
    )
    timeouts = {"connect": 1000, "client": 1000, "server": 1000}
    owner = Global(
        "lbkit:web:haproxy/lb-1/shop", None, "notice", 1000, draw(st.none() | st.integers(10, 5000))
    )
    return Config(owner, Defaults(timeouts), tuple(frontends), tuple(backends))


@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # each example starts HAProxy: too slow to shrink
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(config=configs())
def test_whatever_is_accepted_renders_to_just_its_lines(config: Config, tmp_path: Path) -> None:
    text = render(config)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    heads = [line for line in lines if not line[0].isspace()]
    assert heads == [
        "global",
        "defaults",
        *(f"frontend {each.name}" for each in config.frontends),
        *(f"backend {each.name}" for each in config.backends),
    ]
    assert len(re.findall(r"^    server ", text, re.MULTILINE)) == sum(
        len(each.servers) for each in config.backends
    )
    assert len(re.findall(r"^    bind ", text, re.MULTILINE)) == sum(
        len(each.binds) for each in config.frontends
    )
    found = sections(text)
    for backend in config.backends:
        assert list(found["backend", backend.name].servers) == [server.name for server in backend.servers]
    assert server_names(text) == {server.name for each in config.backends for server in each.servers}
    assert accepts(text, tmp_path) == ""
