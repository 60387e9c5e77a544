"""Routes as a person writes them: what is refused, what becomes of them in maps, and what stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lbkit.haproxy.config.files import FileKind
from lbkit.haproxy.routing import Table, entries
from lbkit.haproxy.spec.routes import Route
from lbkit.haproxy.text.render import render
from tests.haproxy.serving import frontend_config
from tests.haproxy.topologies import Document, load, refused, resolved, with_

FRONTEND = "load_balancers.shop.frontends.http"


def routed(*routes: Document, **frontend: Any) -> Document:
    return with_(FRONTEND, {"bind": 80, "backend": "web", "routes": list(routes)} | frontend)


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ({"host": "shop.test"}, "one of backend, redirect and reject, not none"),
        ({"host": "a.test", "backend": "web", "reject": 403}, "not backend and reject"),
        ({"backend": "web"}, "a condition"),
        ({"path": "/a", "path_prefix": "/b", "backend": "web"}, "not path and path_prefix"),
        ({"sni": "a.test", "host": "a.test", "backend": "web"}, "either sni (tcp mode) or host"),
        ({"sni": "a.test", "reject": 403}, "a connection cannot be redirected or answered"),
        ({"host": "a.test:80", "backend": "web"}, "without a port"),
        ({"host": "*", "backend": "web"}, "a host as in a URL"),
        ({"host": "*.1.2.3", "backend": "web"}, "a host as in a URL"),
        ({"host": "bücher.test", "backend": "web"}, "xn--"),
        ({"path": "a", "backend": "web"}, "begins with '/'"),
        ({"path": "/a?b", "backend": "web"}, "before any '?'"),
        ({"path": "/a%2", "backend": "web"}, "two hexadecimal digits"),
        ({"path": "/%e9", "backend": "web"}, "UTF-8"),
        ({"path": "/a%20b", "backend": "web"}, "without spaces"),
        ({"path": "/a%0Ab", "backend": "web"}, "control characters"),
        ({"path": "/a/%2e%2e/b", "backend": "web"}, "'/../'"),
        ({"path": "//a", "backend": "web"}, "'//'"),
        ({"path_regex": "^/a", "backend": "web"}, "without ^ and $"),
        ({"path_regex": "/(a", "backend": "web"}, "missing )"),
        ({"path_regex": "/a)|(?:.*", "backend": "web"}, "unbalanced"),
        ({"path_regex": r"/\Qa", "backend": "web"}, "other escapes"),
        ({"path_regex": "(?x)/a", "backend": "web"}, "(?...)"),
        ({"path_regex": "/[[:a)|(.*]]", "backend": "web"}, "[ within [ ]"),
        ({"headers": {"X Y": "1"}, "backend": "web"}, "a header's name"),
        ({"headers": {"X": "a\nb"}, "backend": "web"}, "one line"),
        ({"headers": {"X": "1", "x": "2"}, "backend": "web"}, "each header once"),
        ({"path": "/a", "reject": 405}, ""),
        ({"path": "/a", "redirect": {"to": "//other.test"}}, "a URL"),
        ({"path": "/a", "redirect": {"to": "javascript:1"}}, "a URL"),
        ({"path": "/a", "redirect": {"to": "/b c"}}, "escaped"),
        ({"path": "/a", "redirect": {"to": "/b?c", "keep_path": True}}, "can follow"),
        ({"path": "/a", "redirect": {"to": "/", "keep_path": True}}, "can follow"),
    ],
)
def test_what_a_route_cannot_mean_is_said(route: Document, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Route.model_validate(route)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"path_prefix": "/a"}, {"path_prefix": "/a/"}),
        ({"path": "/\u00e9"}, {"path": "/%C3%a9"}),
        ({"host": ["x.test", "shop.test"]}, {"host": "SHOP.test", "path_prefix": "/"}),
        ({"headers": {"X-A": "1"}}, {"headers": {"x-a": "1"}}),
        ({"path_regex": "/a+"}, {"path_regex": "/a+"}),
    ],
)
def test_two_routes_for_the_same_are_told_with_both_places(one: Document, other: Document) -> None:
    data = routed(one | {"backend": "web"}, other | {"reject": 403})
    refused(
        data,
        "path=('load_balancers', 'shop', 'frontends', 'http', 'routes', 1)",
        "routes[0] is for the same",
        "backend:web",
    )


def test_a_route_needs_a_backend_that_there_is_and_of_its_mode() -> None:
    refused(routed({"path": "/a", "backend": "wbe"}), "'backend'", "did you mean 'web'?")
    refused(routed({"sni": "a.test", "backend": "web"}), "conditions of http mode")
    tcp = {"bind": 443, "mode": "tcp", "routes": [{"path": "/a", "backend": "web"}]}
    refused(with_(FRONTEND, tcp), "conditions of tcp mode: sni")
    refused(
        with_("load_balancers.shop.backends.web.mode", "tcp", routed({"path": "/a", "backend": "web"})),
        "is of mode tcp",
    )


def test_a_frontend_leads_somewhere() -> None:
    refused(with_(FRONTEND, {"bind": 80}), "a backend, or routes, or both")
    load(with_(FRONTEND, {"bind": 80, "routes": [{"host": "a.test", "backend": "web"}]}))


def test_a_backend_takes_its_mode_from_the_routes_that_use_it() -> None:
    data = with_(FRONTEND, {"bind": 443, "mode": "tcp", "routes": [{"sni": "a.test", "backend": "web"}]})
    data["load_balancers"]["shop"]["backends"]["web"].pop("health_check")
    assert [backend.mode for backend in resolved(data).backends] == ["tcp"]


def test_entries_say_host_and_path_as_haproxy_looks_them_up() -> None:
    written = [
        {"host": ["Shop.test", "shop.test"], "path_prefix": "/api/", "backend": "web"},
        {"path": "/caf%C3%A9", "reject": 410},
        {
            "host": "*.a.test",
            "path_regex": "/[0-9]{2}|/x",
            "redirect": {"to": "https://b.test/", "keep_path": True},
        },
        {"host": "b.test", "redirect": {"to": "/x", "code": 308}},
    ]
    found = [
        (entry.table, entry.key, entry.value)
        for entry in entries([Route.model_validate(each) for each in written])
    ]
    assert found == [
        (Table.PREFIX, "shop.test/api/", "backend:web"),
        (Table.EXACT, "*/caf\u00e9", "reject:410"),
        (Table.REGEX, r"^\*\.a\.test(?:/[0-9]{2}|/x)$", "keep:302:https://b.test"),
        (Table.PREFIX, "b.test/", "to:308:/x"),
    ]


def test_header_values_are_encoded_and_prefixes_have_their_length() -> None:
    written = [{"host": "a.test", "headers": {"X-B": "1 ;/", "x-a": "\u00e9"}, "backend": "web"}]
    found = [(entry.key, entry.value) for entry in entries([Route.model_validate(each) for each in written])]
    assert found == [("x-a=%C3%A9;x-b=1%20%3B%2F;a.test/", "1:backend:web")]


def test_routes_come_and_go_in_maps_alone() -> None:
    """What else is in the configuration is the same, as long as a route of their kinds was there."""
    kinds = [
        {"host": "a.test", "path_prefix": "/a", "backend": "web"},
        {"path_regex": "/x+", "headers": {"X-A": "1"}, "reject": 403},
    ]
    more = [
        {"host": "*.b.test", "path": "/exact", "redirect": {"to": "/b", "code": 307}},
        {"path_regex": "/y+", "backend": "api"},
        {"headers": {"x-a": "2"}, "reject": 404},
    ]
    few = frontend_config({"backend": "web", "routes": kinds, "bind": "127.0.0.1:80"}, ("web", "api"))
    many = frontend_config({"backend": "web", "routes": kinds + more, "bind": "127.0.0.1:80"}, ("web", "api"))
    assert _frontend(render(few)) == _frontend(render(many))
    assert {file.kind for file in many.files} == {FileKind.MAP}
    assert [file.path for file in few.files] == [file.path for file in many.files]
    assert few.files != many.files


def test_an_empty_list_of_routes_makes_ready_for_some() -> None:
    none = frontend_config({"backend": "web", "routes": [], "bind": "127.0.0.1:80"})
    some = frontend_config(
        {"backend": "web", "routes": [{"host": "a.test", "reject": 403}], "bind": "127.0.0.1:80"}
    )
    assert _frontend(render(none)) == _frontend(render(some))
    assert [file.content for file in none.files] == [b""]


def _frontend(text: str) -> str:
    return text.partition("\nfrontend http\n")[2].partition("\nbackend ")[0]
