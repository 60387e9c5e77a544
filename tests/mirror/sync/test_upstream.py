"""What people write as an upstream: read as it was meant, or refused; and never an option of rsync, ssh or curl."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.errors import Mistake
from lbkit.mirror.sync.upstream import parse, upstream_of, web_of


@pytest.mark.parametrize(
    ("url", "data"),
    [
        ("rsync://host/debian", {"kind": "rsync", "host": "host", "module": "debian", "path": ""}),
        (
            "rsync://h.example:8730/m/a b/c/",
            {"kind": "rsync", "host": "h.example", "module": "m", "path": "a b/c", "port": 8730},
        ),
        (
            "rsync://me@[fd00::1]/m/",
            {"kind": "rsync", "host": "[fd00::1]", "module": "m", "path": "", "user": "me"},
        ),
        (
            "ssh://me@host:2222/srv/x",
            {"kind": "ssh", "host": "host", "path": "srv/x", "port": 2222, "user": "me"},
        ),
        ("ssh://host/srv/x/", {"kind": "ssh", "host": "host", "path": "srv/x"}),
        ("https://host/pub/iso", {"kind": "https", "url": "https://host/pub/iso/"}),
        ("https://host", {"kind": "https", "url": "https://host/"}),
        ("https://me@host:8443/a%20b/", {"kind": "https", "url": "https://host:8443/a%20b/", "user": "me"}),
        ("http://[::1]:8080/x/", {"kind": "https", "url": "http://[::1]:8080/x/"}),
        ("rsync://h/m/a@b", {"kind": "rsync", "host": "h", "module": "m", "path": "a@b"}),
        ("/srv/mirror/", {"kind": "folder", "path": "srv/mirror"}),
    ],
)
def test_it_is_read_as_it_was_meant(url: str, data: dict[str, Any]) -> None:
    assert parse(url) == data


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "/",
            "//",
            "debian",
            "host::module",
            "me@host:/path",
            "file:///srv",
            "ftp://host/x",
            "rsync:host/m",
        ),
        *(
            "rsync://host",
            "rsync://host/",
            "rsync:///m",
            "rsync://-e/m",
            "rsync://-esh/m",
            "rsync://a b/m",
            "rsync://h/-e",
        ),
        *(
            "rsync://h/m/../x",
            "rsync://h/m/./x",
            "rsync://h/m//x",
            "rsync://h/m/*",
            "rsync://h/m/a\nb",
            "rsync://h/m/$(id)\0",
        ),
        *(
            "rsync://h:0/m",
            "rsync://h:65536/m",
            "rsync://h:x/m",
            "rsync://h:873873/m",
            "rsync://@h/m",
            "rsync://a@b@c/m",
        ),
        *(
            "rsync://-oProxyCommand=x@h/m",
            "rsync://u:secret@h/m",
            "rsync://h;id/m",
            "rsync://h/m;id",
            "rsync://`id`/m",
            "rsync://[::1/m",
        ),
        *(
            "ssh://-oProxyCommand=x/p",
            "ssh://-oProxyCommand=x@h/p",
            "ssh://h",
            "ssh://h/",
            "ssh://h/../x",
            "ssh://h/a/../../x",
        ),
        *("ssh://h:-p/x", "ssh://u;id@h/x", "ssh://h/x\x1b[2J", "ssh://[-oX]/x", "ssh://[%0a]/x"),
        *(
            "https://h/../x",
            "https://h/%2e%2e/x",
            "https://h/a%0ab",
            "https://h/a b",
            'https://h/"',
            "https://h/?x",
            "https://h/#x",
        ),
        *(
            "https://u:secret@h/x",
            "https://-h/x",
            "https://h/%zz",
            "https://h/\n-o",
            "https:///x",
            "https://h:99999/",
            "https://é/x",
        ),
        *("/srv/../etc", "/srv/./x", "/srv//x", "/srv/*", "/a\nb", "/a[b]"),
    ],
)
def test_what_is_none_or_hostile_is_refused(url: str) -> None:
    with pytest.raises(Mistake) as caught:
        parse(url)
    assert "secret" not in str(caught.value)
    assert caught.value.found.isprintable()


schemes = st.sampled_from(
    ["rsync://", "ssh://", "https://", "http://", "/", "", "file://", "-e", "rsync://u@", "ssh://u@", "//"]
)
tails = st.text(
    st.one_of(st.sampled_from("-/.:@[]%$`;&|<>'\" \t\n\r\0*?~#=ae1\\é"), st.characters()), max_size=40
)


@given(schemes, tails)
def test_what_is_read_is_no_option_of_anything(scheme: str, tail: str) -> None:
    try:
        data = parse(scheme + tail)
    except Mistake:
        return
    if data["kind"] == "https":
        data.pop("user", None)
        web = web_of({**data, "digests": "SHA256SUMS"})
        assert web.source.startswith(("https://", "http://"))
        assert web.source.isascii()
        assert not set(" \"'\\<>`\t\n\r\0{}|^") & set(web.source)
        return
    upstream = upstream_of(data)
    assert not upstream.source.startswith("-")
    assert not set("\n\r\0") & set(upstream.source)
    assert ".." not in upstream.source.split("/")
    assert all(option.startswith("--") for option in upstream.options)
    for option in upstream.options:
        if option.startswith("--rsh="):
            words = shlex.split(option.removeprefix("--rsh="))
            assert words[-2:] == ["-p", str(data.get("port", 22))]
    head = upstream.source.removeprefix("rsync://")
    assert not head.startswith("-")
    assert not head.rpartition("@")[2].startswith("-")


@pytest.mark.parametrize(
    "more",
    [
        {"digests": "../SHA256SUMS"},
        {"digests": "a//b"},
        {"digests": ""},
        {"digests": "a\nb"},
        {"digests": "/"},
        {"user": "me"},
        {"password_file": "/p"},
        {"user": "me", "password_file": "p"},
        {"user": "me:x", "password_file": "/p"},
        {"ca_file": "/a b"},
        {"url": "http://host/", "user": "me", "password_file": "/p"},
        {"url": "file:///etc/"},
        {"url": "https://host/\nurl = x"},
        {"colour": "red"},
    ],
)
def test_what_curl_would_take_for_something_else_is_refused(more: dict[str, str]) -> None:
    data = {"kind": "https", "url": "https://host/", "digests": "SHA256SUMS"}
    web_of(data)
    with pytest.raises(Mistake):
        web_of({**data, **more})
