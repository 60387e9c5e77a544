"""Routes against HAProxy itself: which backend, or which answer, a request gets."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lbkit.haproxy.routing import entries
from lbkit.haproxy.spec.routes import Route
from tests.haproxy.routing_model import meant
from tests.haproxy.serving import Named, Serving, frontend_config, parsed, serving
from tests.haproxy.versions import VERSIONS, program

pytestmark = pytest.mark.sandbox

BACKENDS = ("web", "api", "apinew", "static", "tenant", "blog", "exact", "numbers", "first", "any", "accents")

ROUTES = [
    {"host": "shop.test", "path_prefix": "/api", "backend": "api"},
    {"host": "shop.test", "path_prefix": "/api/new/", "backend": "apinew"},
    {"host": "shop.test", "path": "/api/new/thing", "backend": "exact"},
    {"host": "Shop.test", "path_regex": "/(?:[0-9]+|api/[0-9]{3})", "backend": "numbers"},
    {"host": "shop.test", "path_regex": "/[0-9].*", "backend": "first"},
    {"host": "shop.test", "path_prefix": "/caf%C3%A9", "backend": "accents"},
    {"host": "shop.test", "path_prefix": "/admin", "reject": 403},
    {"host": "shop.test", "path": "/gone", "reject": 410},
    {"host": "*.shop.test", "backend": "tenant"},
    {"host": ["blog.shop.test", "blog.test"], "backend": "blog"},
    {"path_prefix": "/static", "backend": "static"},
    {"path": "/any", "backend": "any"},
    {"host": "old.test", "redirect": {"to": "https://shop.test/", "code": 301, "keep_path": True}},
    {"host": "old.test", "path": "/x", "redirect": {"to": "/y?z=%20#here"}},
]


@pytest.fixture(scope="module", params=VERSIONS)
def routed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    config = frontend_config({"backend": "web", "routes": ROUTES}, BACKENDS)
    with serving(config, tmp_path_factory.mktemp("routed"), str(program(request.param))) as served:
        yield served


@pytest.mark.parametrize(
    ("host", "path", "goes"),
    [
        ("shop.test", "/", "web"),
        ("shop.test", "/api", "api"),
        ("shop.test", "/api/", "api"),
        ("shop.test", "/api?x=/api/new", "api"),
        ("shop.test", "/api/x/y", "api"),
        ("shop.test", "/apix", "web"),
        ("shop.test", "/API", "web"),  # paths are as they are written
        ("shop.test", "/api/new", "apinew"),
        ("shop.test", "/api/new/x", "apinew"),
        ("shop.test", "/api/newer", "api"),
        ("shop.test", "/api/new/thing", "exact"),
        ("shop.test", "/api/new/thing?x", "exact"),
        ("shop.test", "/api/new/thing/", "apinew"),
        ("shop.test", "/12", "numbers"),
        ("shop.test", "/api/123", "numbers"),  # a regular expression before a prefix
        ("shop.test", "/api/1234", "api"),  # it fits the whole path or not
        ("shop.test", "/1x", "first"),
        # the same in other words
        ("SHOP.TEST", "/api", "api"),
        ("shop.test:8080", "/api", "api"),
        ("shop.test.", "/api", "api"),
        ("shop.test", "/%61pi/x", "api"),
        ("shop.test", "/api%2Fnew", "apinew"),
        ("shop.test", "//api///new//x", "apinew"),
        ("shop.test", "http://shop.test/api/x", "api"),
        ("shop.test", "/caf%c3%a9/x", "accents"),
        # refused, in whatever words
        ("shop.test", "/admin", "403"),
        ("shop.test", "/admin/x", "403"),
        ("shop.test", "/%61dmin/x", "403"),
        ("shop.test", "//admin/x", "403"),
        ("shop.test", "/x/../admin", "400"),
        ("shop.test", "/x/%2e%2e/admin", "400"),
        ("shop.test", "/./admin", "400"),
        ("shop.test", "/admin/..", "400"),
        ("shop.test", "/admin%00", "400"),
        ("shop.test", "/admin%0a", "400"),
        ("shop.test", "/admin%zz", "400"),
        ("shop.test/x", "/admin", "400"),
        ("shop.test", "http://other.test/admin", "400"),
        ("shop.test", "/...", "web"),
        ("shop.test", "/x..y/.well-known/", "web"),
        ("shop.test", "/gone", "410"),
        ("shop.test", "/gone/x", "web"),
        # wildcards
        ("a.shop.test", "/", "tenant"),
        ("A.shop.test:80", "/api", "tenant"),
        ("a.b.shop.test", "/", "web"),
        ("blog.shop.test", "/any", "blog"),  # the most particular host, then the path
        ("blog.test", "/", "blog"),
        # any host
        ("192.0.2.1", "/static/x", "static"),
        ("[fd00::1]:80", "/any", "any"),
        ("shop.test", "/static", "static"),
        ("a.shop.test", "/static", "tenant"),
        ("", "/any", "any"),
        ("other.test", "/", "web"),
        # redirects
        ("old.test", "/a/b?c=d%20", "301 https://shop.test/a/b?c=d%20"),
        ("old.test", "/x", "302 /y?z=%20#here"),
    ],
)
def test_requests_and_where_they_go(routed: Serving, host: str, path: str, goes: str) -> None:
    assert routed.ask(host, path).short == goes


def test_requests_without_a_path_or_a_host(routed: Serving) -> None:
    assert routed.ask("shop.test", "http://shop.test").short == "web"
    assert routed.ask("old.test", "http://old.test").short == "301 https://shop.test/"
    assert routed.ask("a.shop.test", "*", method="OPTIONS").short == "tenant"
    assert parsed(routed.raw(b"GET /any HTTP/1.0\r\n\r\n")).short == "any"
    twice = b"GET /any HTTP/1.1\r\nHost: shop.test\r\nHost: a.shop.test\r\nConnection: close\r\n\r\n"
    assert parsed(routed.raw(twice)).status == 400


def test_what_no_route_fits_is_not_found_where_there_is_no_backend_for_it(tmp_path: Path) -> None:
    config = frontend_config({"routes": [{"host": "shop.test", "backend": "web"}]})
    with serving(config, tmp_path) as served:
        assert served.ask("shop.test", "/x/../y").short == "web"  # no route looks at paths
        assert served.ask("other.test", "/").short == "404"


BY_HEADER = [
    {"host": "shop.test", "path_prefix": "/api", "backend": "api"},
    {"host": "shop.test", "path": "/exact", "backend": "exact"},
    {"host": "shop.test", "path_prefix": "/admin", "reject": 403},
    {"host": "shop.test", "headers": {"X-Canary": "1"}, "backend": "canary"},
    {"host": "shop.test", "path_prefix": "/api/v2", "headers": {"x-canary": "1"}, "backend": "apicanary"},
    {"host": "shop.test", "path": "/exact", "headers": {"X-Canary": "1"}, "backend": "exactcanary"},
    {"host": "shop.test", "path_regex": "/[0-9]+", "headers": {"X-Canary": "1"}, "backend": "numbers"},
    {"host": "shop.test", "headers": {"X-Canary": "1", "X-Tenant": "a b/|;=\u00e9%41"}, "backend": "both"},
    {"headers": {"X-Tenant": "z"}, "backend": "tenant"},
]


@pytest.fixture(scope="module", params=VERSIONS)
def by_header(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    names = ("web", "api", "exact", "canary", "apicanary", "exactcanary", "numbers", "both", "tenant")
    config = frontend_config({"backend": "web", "routes": BY_HEADER}, names)
    with serving(config, tmp_path_factory.mktemp("by-header"), str(program(request.param))) as served:
        yield served


@pytest.mark.parametrize(
    ("path", "headers", "goes"),
    [
        ("/", {}, "web"),
        ("/", {"X-Canary": "1"}, "canary"),
        ("/", {"x-CANARY": "1"}, "canary"),
        ("/", {"X-Canary": "2"}, "web"),
        ("/", {"X-Canary": "1;shop.test/api"}, "web"),
        ("/x", {"X-Canary": "1"}, "canary"),
        ("/api", {"X-Canary": "1"}, "api"),  # the path comes before headers
        ("/api/v2/x", {"X-Canary": "1"}, "apicanary"),
        ("/api/v2/x", {}, "api"),
        ("/admin", {"X-Canary": "1"}, "403"),
        ("/exact", {}, "exact"),
        ("/exact", {"X-Canary": "1"}, "exactcanary"),
        ("/12", {"X-Canary": "1"}, "numbers"),
        ("/12", {}, "web"),
        ("/", {"X-Canary": "1", "X-Tenant": "a b/|;=\u00e9%41"}, "both"),
        ("/", {"X-Canary": "1", "X-Tenant": "z"}, "canary"),  # the host comes before headers
        ("/", {"X-Tenant": "z"}, "tenant"),
    ],
)
def test_headers_decide_between_routes_of_one_host_and_path(
    by_header: Serving, path: str, headers: dict[str, str], goes: str
) -> None:
    assert by_header.ask("shop.test", path, headers=headers).short == goes


def test_a_host_cannot_pass_for_a_condition_on_a_header(by_header: Serving) -> None:
    assert by_header.ask("x-canary=1;shop.test").short == "400"


def hello(name: str | None) -> bytes:
    """What a TLS client says first."""
    context = ssl.create_default_context()
    context.check_hostname = False
    written = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), written, server_hostname=name)
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return written.read()


SNI = [
    {"sni": ["shop.test", "api.test"], "backend": "shop"},
    {"sni": "*.shop.test", "backend": "tenant"},
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("default", ["web", None])
def test_connections_go_by_the_name_that_tls_asks_for(
    version: str, tmp_path: Path, default: str | None
) -> None:
    config = frontend_config({"backend": default, "routes": SNI}, ("web", "shop", "tenant"), mode="tcp")
    with serving(config, tmp_path, str(program(version)), Named) as served:
        asked = [hello(name) for name in ("shop.test", "API.test", "a.shop.test", "a.b.shop.test", None)]
        heard = [served.raw_or_cut(each) for each in (*asked, b"no TLS at all\n")]
        other = (default or "").encode()
        assert heard == [b"shop", b"shop", b"tenant", other, other, other]
        with served.connected() as slow:  # a hello that comes in pieces is waited for
            slow.sendall(asked[0][:20])
            slow.sendall(asked[0][20:])
            assert slow.recv(100) == b"shop"


HOSTS = ["a.test", "b.a.test", "c.test"]
PATHS = ["/", "/a", "/a/b", "/a/b/c", "/ab", "/\u00e9", "/a/12"]


@st.composite
def some_routes(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Each with an answer of its own, and no two for the same."""
    condition = st.fixed_dictionaries(
        {},
        optional={
            "host": st.lists(
                st.sampled_from([*HOSTS, "*.a.test", "*.test"]), min_size=1, max_size=2, unique=True
            ),
            "headers": st.dictionaries(st.sampled_from(["X-A", "X-B"]), st.sampled_from(["1", "a b"])),
        },
    )
    where = st.one_of(
        st.just({}),
        st.fixed_dictionaries({"path": st.sampled_from(PATHS)}),
        st.fixed_dictionaries({"path_prefix": st.sampled_from(PATHS)}),
        st.fixed_dictionaries({"path_regex": st.sampled_from(["/a/[0-9]+", "/a.*", "/(?:a|ab)", "/.*b"])}),
    )
    found: list[dict[str, Any]] = []
    keys: set[tuple[str, str]] = set()
    for said in draw(st.lists(st.builds(lambda left, right: left | right, condition, where), max_size=12)):
        written = said | {"redirect": {"to": f"/{len(found)}"}}
        try:
            route = Route.model_validate(written)
        except ValueError:
            continue
        new = {(entry.table, entry.key) for entry in entries([route])}
        if not new & keys:
            keys |= new
            found.append(written)
    return found


requests = st.tuples(
    st.sampled_from([*HOSTS, "x.a.test", "x.test", "a.b.a.test"]),
    st.sampled_from([*PATHS, "/b", "/a/1/2"]),
    st.sampled_from([{}, {"X-A": "1"}, {"X-B": "a b"}, {"X-A": "1", "X-B": "a b"}, {"X-A": "2"}]),
)


@settings(
    max_examples=20,
    phases=[Phase.explicit, Phase.generate],  # each example starts HAProxy: too slow to shrink
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(written=some_routes(), asked=st.lists(requests, min_size=10, max_size=40))
def test_haproxy_takes_the_route_that_is_meant(
    written: list[dict[str, Any]], asked: list[tuple[str, str, dict[str, str]]], tmp_path: Path
) -> None:
    routes = [Route.model_validate(each) for each in written]
    with serving(frontend_config({"routes": written}), tmp_path) as served:
        for host, path, headers in asked:
            number = meant(routes, host, path, headers)
            wanted = "404" if number is None else f"302 /{number}"
            assert served.ask(host, quote(path), headers=headers).short == wanted, (host, path, headers)
