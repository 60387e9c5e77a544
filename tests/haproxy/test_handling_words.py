"""Whatever text the language accepts for a frontend's handling, HAProxy takes it for just that."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lbkit.haproxy.config.sections import Config
from lbkit.haproxy.routing import Table, entries, map_path
from lbkit.haproxy.spec.headers import Changes
from lbkit.haproxy.spec.routes import Route
from lbkit.haproxy.text.render import render
from tests.haproxy.serving import Serving, frontend_config, serving

pytestmark = pytest.mark.sandbox

PLAIN = list("ab01/-")
NASTY = list(".-_*%{}[]()$^|+?!:;=,~&@<>\"'`\\# \t\n\r\0\x1b\x7f\x85\xa0é\u2028")
tails = st.lists(st.one_of(st.sampled_from(PLAIN), st.sampled_from(NASTY)), max_size=8).map("".join)


def words(*begins: str) -> st.SearchStrategy[str]:
    """Each begins like something that may be meant."""
    return st.builds(str.__add__, st.sampled_from(begins), tails)


conditions = st.one_of(
    st.fixed_dictionaries({"path": words("/", "/a", "/%C3%A9")}),
    st.fixed_dictionaries({"path_prefix": words("/", "/a", "/%C3%A9")}),
    st.fixed_dictionaries({"path_regex": words("/", "/[a", "/(a", r"\w", "/a{1,")}),
    st.fixed_dictionaries({"host": st.lists(words("a", "*.b", "1.2"), min_size=1, max_size=2)}),
    st.fixed_dictionaries(
        {"headers": st.dictionaries(words("X-", "x"), words("v", ""), min_size=1, max_size=2)}
    ),
)
redirects = st.fixed_dictionaries(
    {"to": words("/", "https://a", "http://[fd00::1]:80/")},
    optional={"keep_path": st.just(True), "code": st.sampled_from([301, 302, 303, 307, 308])},
)


def fitting(written: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that the language takes, each for something of its own."""
    found, keys = [], set()
    for each in written:
        try:
            new = {(entry.table, entry.key) for entry in entries([Route.model_validate(each)])}
        except ValidationError:
            continue
        if not new & keys:
            keys |= new
            found.append(each)
    return found


def changes(written: dict[str, str]) -> dict[str, str]:
    found = {}
    for name, value in written.items():
        try:
            Changes(set={name: value})
        except ValidationError:
            continue
        if name.lower() not in {other.lower() for other in found}:
            found[name] = value
    return found


@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],  # each example starts HAProxy: too slow to shrink
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
    ],
)
@given(
    routes=st.lists(
        st.builds(lambda said, to: said | {"redirect": to}, conditions, redirects), min_size=15, max_size=40
    ).map(fitting),
    headers=st.dictionaries(words("Own-").map(str.strip), words("v", "%"), min_size=5, max_size=20).map(
        changes
    ),
)
def test_haproxy_reads_just_what_was_written(
    routes: list[dict[str, Any]], headers: dict[str, str], tmp_path: Path
) -> None:
    config = frontend_config({"backend": "web", "routes": routes, "headers": {"request": {"set": headers}}})
    without = frontend_config({"backend": "web", "routes": routes})
    assert len(_lines(config)) == len(_lines(without)) + len(headers)
    meant = list(entries([Route.model_validate(each) for each in routes]))
    with serving(config, tmp_path) as served:
        said = (tmp_path / "log").read_text()
        assert "WARNING" not in said, said
        for file in config.files:
            table = Table(file.path.split(".")[1])
            assert file.path == map_path("http", table)
            wanted = [(entry.key, entry.value) for entry in meant if entry.table is table]
            assert sorted(shown(served, file.path)) == sorted(wanted)
        answer = served.ask("nobody.invalid", "/nothing-that-is-routed")
        if answer.status == 200:
            heard = {name.lower(): value for name, value in answer.said["headers"]}
            for name, value in headers.items():
                assert heard[name.lower()].encode("latin-1").decode() == value


def shown(served: Serving, path: str) -> list[tuple[str, str]]:
    """The entries of a map that HAProxy holds."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(served.folder / "runtime.sock"))
        client.sendall(f"show map {path}\n".encode())
        text = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    lines = [line.split(" ", 2) for line in text.split("\n") if line]
    return [(key, value) for _, key, value in lines]


def _lines(config: Config) -> list[str]:
    return [line for line in render(config).split("\n") if not line.startswith("#")]
