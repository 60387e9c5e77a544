"""The section `hosts`: what may be written, what it becomes, and what never gets through."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lbkit.base.problems import InvalidDocument
from lbkit.engine.scope import Draft
from lbkit.hypervisor.resolve import POOL_PATH, SANDBOX_POOL_PATH, resolve
from lbkit.hypervisor.resolved import Hypervisors, ResolvedHost
from lbkit.hypervisor.spec import ConnectionURI, PoolPath
from lbkit.hypervisor.spec import Hypervisors as Section
from lbkit.topology.load import load_data

URI = TypeAdapter(ConnectionURI)
PATH = TypeAdapter(PoolPath)

GOOD = [
    "qemu:///system",
    "qemu:///session",
    "qemu:///system?socket=/run/t/1/sock/libvirt-sock",
    "qemu+ssh://root@node-1/system",
    "qemu+ssh://root@node-1:2222/system?keyfile=/root/.ssh/id&known_hosts=/k",
    "qemu+tls://node-1.example.test/system?no_verify=1",
    "qemu+tcp://[2001:db8::1]:16509/system",
    "qemu+libssh2://a@b/system",
    "test:///default",
    "test+tcp://localhost/default",
]
BAD = [
    "",
    "qemu",
    "qemu://",
    "xen:///",
    "lxc:///",
    "QEMU:///system",
    "qemu+ext:///system",
    "qemu+ssh://a:secret@b/system",
    "qemu+ssh://-oProxyCommand=x/system",
    "qemu+ssh://-a@b/system",
    "qemu+ssh://b/system?command=/tmp/x",
    "qemu+ssh://b/system?netcat=/tmp/x",
    "qemu+ssh://b/system?keyfile=/k&command=/tmp/x",
    "qemu+ssh://b/system?proxy=native",
    "qemu:///system\n",
    "qemu:///sys tem",
    "qemu:///system?socket='x'",
    'qemu:///system?socket="x"',
    "qemu:///system#x",
    "qemu:///system?socket=%00",
    "qemu:///system<x>",
]


@pytest.mark.parametrize("uri", GOOD)
def test_a_uri_of_libvirt(uri: str) -> None:
    assert URI.validate_python(uri) == uri


@pytest.mark.parametrize("uri", BAD)
def test_no_uri_of_libvirt(uri: str) -> None:
    with pytest.raises(ValidationError, match="a libvirt URI of QEMU such as"):
        URI.validate_python(uri)


@given(st.text(max_size=60), st.sampled_from(GOOD), st.integers(0, 60))
def test_nothing_that_another_language_understands_gets_in(text: str, uri: str, place: int) -> None:
    mixed = uri[:place] + text + uri[place:]
    try:
        URI.validate_python(mixed)
    except ValidationError:
        return
    assert mixed.isascii()
    assert mixed.isprintable()
    assert not set(mixed) & set(" '\"`\\<>#%;$(){}*!|^\t\n")
    assert "command=" not in mixed
    assert "netcat=" not in mixed


@pytest.mark.parametrize("path", ["pool", "/", "/a/../b", "/a//b", "/.a", "/a\n", "/a b", "/a'", "", "/a/"])
def test_no_path_of_a_pool(path: str) -> None:
    with pytest.raises(ValidationError):
        PATH.validate_python(path)


@pytest.mark.parametrize(
    ("uri", "local", "transport"),
    [
        ("qemu:///system", True, "unix"),
        ("qemu:///session", True, "unix"),
        ("qemu+unix:///system?socket=/s", True, "unix"),
        ("qemu+ssh:///system", False, "ssh"),
        ("qemu+ssh://n/system", False, "ssh"),
        ("qemu://n/system", False, "tls"),
        ("test:///default", False, "unix"),
    ],
)
def test_where_a_libvirt_runs(uri: str, local: object, transport: str) -> None:
    host = ResolvedHost("h", uri, "lbkit", "/p")
    assert (host.local, host.transport, host.simulated) == (local, transport, uri.startswith("test"))


def resolved(data: object) -> tuple[Hypervisors, Draft]:
    draft = Draft("web", Path("/"))
    return resolve(Section.model_validate(data), draft), draft


def test_without_a_section_there_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for inside, path in (("", POOL_PATH), ("1", SANDBOX_POOL_PATH)):
        monkeypatch.setenv("LBKIT_SANDBOX", inside)
        hosts, _ = resolved({})
        assert hosts.by_name == {"local": ResolvedHost("local", "qemu:///system", "lbkit", path, True)}


def test_with_one_there_is_what_it_says() -> None:
    hosts, draft = resolved(
        {"b": {"uri": "qemu+ssh://b/system", "path": "/srv/b", "pool": "vms"}, "a": {"path": "/srv/a"}}
    )
    assert not draft.problems
    assert hosts.by_name == {
        "b": ResolvedHost("b", "qemu+ssh://b/system", "vms", "/srv/b"),
        "a": ResolvedHost("a", "qemu:///system", "lbkit", "/srv/a"),
    }


def test_two_names_of_one_pool_agree_on_its_folder() -> None:
    _, draft = resolved({"a": {"path": "/srv/a"}, "b": {"path": "/srv/b"}, "c": {"path": "/x", "pool": "c"}})
    (problem,) = draft.problems
    assert problem.path == ("hosts", "b", "path")
    assert problem.found == "/srv/b, and /srv/a at the host a"


def test_a_mistake_is_told_with_its_place() -> None:
    document = {"lbkit": 1, "name": "web", "hosts": {"local": {"uri": "xen:///", "pol": "x"}}}
    with pytest.raises(InvalidDocument) as raised:
        load_data(document, Path("/"))
    assert sorted(problem.path for problem in raised.value.problems) == [
        ("hosts", "local", "pol"),
        ("hosts", "local", "uri"),
    ]
