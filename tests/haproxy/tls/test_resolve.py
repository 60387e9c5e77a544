"""What a document may say of TLS, and what is said of the rest, at its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import lbkit
from lbkit.base.problems import InvalidDocument, Problem, dotted
from lbkit.haproxy.config.files import FileKind
from tests.haproxy.tls.authority import Authority
from tests.haproxy.tls.running import config_in, document

ROOT = Authority()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`a.pem`, `b.pem` (with `b.crt` and `b.key`) and `ca.pem`."""
    ROOT.issue("a.example.org").write(tmp_path / "a.pem")
    b = ROOT.issue("b.example.org")
    b.write(tmp_path / "b.pem")
    (tmp_path / "b.crt").write_bytes(b.pem)
    (tmp_path / "b.key").write_bytes(b.key_pem)
    (tmp_path / "b.key").chmod(0o600)
    (tmp_path / "ca.pem").write_bytes(ROOT.pem)
    return tmp_path


TWO = {"a": {"file": "a.pem"}, "b": {"certificate": "b.crt", "key": "b.key"}}
CA = {"internal": {"file": "ca.pem"}}


def shop(tls: Any = "a", *, servers: Any = None, **more: Any) -> dict[str, Any]:
    data = document(8443, 8080, tls, **{"certificates": TWO, "authorities": CA} | more)
    if servers is not None:
        data["load_balancers"]["shop"]["backends"]["web"]["tls"] = servers
    return data


def problems(data: dict[str, Any], folder: Path) -> list[Problem]:
    with pytest.raises(InvalidDocument) as caught:
        lbkit.load_data(data, folder)
    return list(caught.value.problems)


def said(data: dict[str, Any], folder: Path) -> str:
    return "\n".join(
        f"{dotted(each.path).removeprefix('load_balancers.shop.')}: {each.wanted}; {each.found}; {each.remedy}"
        for each in problems(data, folder)
    )


@pytest.mark.parametrize("tls", ["a", ["a"], {"certificates": "a"}, {"certificates": ["a"], "default": "a"}])
def test_short_forms_mean_the_long_one(tls: Any, folder: Path) -> None:
    (bind,) = config_in(shop(tls), folder).frontends[0].binds
    assert bind.tls is not None
    assert (bind.tls.first, bind.tls.alpn) == ("a", ("h2", "http/1.1"))


def test_the_default_stands_on_the_bind_and_the_others_in_its_list(folder: Path) -> None:
    files = {file.path: file for file in config_in(shop(["b", "a"]), folder).files}
    assert list(files) == ["certs/a.pem", "certs/b.pem", "certs/https.list"]
    assert files["certs/https.list"].content == b"certs/a.pem\n"
    assert files["certs/https.list"].kind is FileKind.CERTIFICATE_LIST
    assert (files["certs/a.pem"].kind, files["certs/a.pem"].secret) == (FileKind.CERTIFICATE, True)
    assert len(files["certs/a.pem"].identity) == 40


def test_with_strict_sni_all_stand_in_the_list_with_the_names_they_answer_for(folder: Path) -> None:
    wild = {**TWO, "a": {"file": "a.pem", "names": ["*.a.example.org", "a.example.org"]}}
    data = shop({"certificates": ["b", "a"], "strict_sni": True}, certificates=wild)
    (listed,) = [each for each in config_in(data, folder).files if each.kind is FileKind.CERTIFICATE_LIST]
    assert listed.content == b"certs/a.pem *.a.example.org a.example.org\ncerts/b.pem\n"


def test_authorities_change_at_run_time_only_where_haproxy_takes_them_up(folder: Path) -> None:
    def kinds(data: dict[str, Any]) -> dict[str, FileKind]:
        return {each.path: each.kind for each in config_in(data, folder).files if each.path.endswith(".ca")}

    clients = {"certificates": "a", "client": {"ca": "internal"}}
    of_servers = {"ca": "internal", "server_name": "a.b"}
    assert kinds(shop(clients)) == {"certs/internal.ca": FileKind.AUTHORITY}
    assert kinds(shop(clients, servers=of_servers)) == {"certs/internal.ca": FileKind.PLAIN}
    assert kinds(shop("a", servers={"server_name": "a.b"})) == {}
    (folder / "ca.pem").write_bytes(b"".join(Authority(f"{number}").pem for number in range(40)))
    assert kinds(shop(clients)) == {"certs/internal.ca": FileKind.PLAIN}
    roomy = shop(clients, tuning={"buffer_size": 65536})
    assert kinds(roomy) == {"certs/internal.ca": FileKind.AUTHORITY}


def test_what_is_not_used_is_put_nowhere(folder: Path) -> None:
    data = shop("a")
    data["load_balancers"]["shop"]["frontends"]["https"]["bind"] = 8080
    assert config_in(data, folder).files == ()


def test_keys_are_shown_nowhere(folder: Path) -> None:
    scope = lbkit.load_data(shop(["a", "b"]), folder)
    config = config_in(shop(["a", "b"]), folder)
    told = repr(scope.resolved) + repr(config) + json.dumps(shop(["a", "b"]))
    for name in ("a.pem", "b.key"):
        key = (folder / name).read_text().partition("PRIVATE KEY-----")[2].splitlines()[1]
        assert key not in told


def test_certificates_of_one_name_need_keys_of_two_kinds(folder: Path) -> None:
    ROOT.issue("x.example.org", "A.example.org").write(folder / "b.pem")
    twice = {**TWO, "b": {"file": "b.pem"}}
    assert "a and b are both for a.example.org" in said(shop(["a", "b"], certificates=twice), folder)
    ROOT.issue("a.example.org", kind="RSA").write(folder / "b.pem")
    config_in(shop(["a", "b"], certificates=twice), folder)
    ROOT.issue("x.example.org", "a.example.org").write(folder / "b.pem")
    config_in(
        shop(["a", "b"], certificates={**TWO, "b": {"file": "b.pem", "names": ["x.example.org"]}}), folder
    )


CASES: dict[str, tuple[Any, dict[str, Any], list[str]]] = {
    "unknown": ("other", {}, ["bind.tls.certificates: ", "other", "known here: a, b"]),
    "near miss": ("shopp", {"certificates": {"shop": TWO["a"]}}, ["did you mean 'shop'?"]),
    "none": ("a", {"certificates": {}}, ["declare it in `certificates`"]),
    "empty list": ([], {}, ["bind.tls"]),
    "twice": (["a", "a"], {}, ["'a' stands there twice"]),
    "foreign default": ({"certificates": "a", "default": "b"}, {}, ["a default that is one of"]),
    "default and strict": (
        {"certificates": "a", "default": "a", "strict_sni": True},
        {},
        ["either `default` or `strict_sni`"],
    ),
    "unknown authority": (
        {"certificates": "a", "client": {"ca": "interal"}},
        {},
        ["tls.client.ca: one of", "did you mean 'internal'?"],
    ),
    "no HTTP": ({"certificates": "a", "alpn": ["imap"]}, {}, ["tls.alpn: protocols that http mode", "imap"]),
    "an old version": ({"certificates": "a", "min_version": "TLSv1.0"}, {}, ["min_version"]),
    "a weak cipher": ({"certificates": "a", "ciphers": ["RC4-SHA"]}, {}, ["ciphers"]),
    "default with names": (
        "a",
        {"certificates": {"a": {"file": "a.pem", "names": ["a.example.org"]}}},
        ["without `names`", "strict_sni"],
    ),
    "missing": ("a", {"certificates": {"a": {"file": "no.pem"}}}, ["certificates.a.file: ", "No such file"]),
    "a folder": ("a", {"certificates": {"a": {"file": "."}}}, ["a folder"]),
    "no key named": ("a", {"certificates": {"a": {"certificate": "b.crt"}}}, ["`certificate` and `key`"]),
    "file and key": ("a", {"certificates": {"a": {"file": "a.pem", "key": "b.key"}}}, ["`file` alone"]),
    "no file": ("a", {"certificates": {"a": {}}}, ["`file` alone"]),
    "key in the open": (
        "a",
        {"certificates": {"a": {"certificate": "b.crt", "key": "b.open"}}},
        ["certificates.a.key: ", "mode 0644", "chmod 600"],
    ),
    "another's key": (
        "a",
        {"certificates": {"a": {"certificate": "b.crt", "key": "a.pem"}}},
        ["certificates.a: "],
    ),
    "an injection": (
        "a",
        {"certificates": {"a": {"file": "a.pem", "names": ["a.example.org\ncerts/x.pem"]}}},
        ["names[0]"],
    ),
    "a reserved name": ("a", {"authorities": {"system": {"file": "ca.pem"}}}, ["another name than system"]),
    "no authorities": (
        "a",
        {"authorities": {"x": {"file": "b.key"}}},
        ["authorities.x.file", "a private key beside them"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_mistakes_are_told_at_their_place(name: str, folder: Path) -> None:
    (folder / "b.open").write_bytes((folder / "b.key").read_bytes())
    (folder / "b.open").chmod(0o644)
    tls, more, words = CASES[name]
    told = said(shop(tls, **more), folder)
    assert all(word in told for word in words), told


SERVERS: dict[str, tuple[Any, str]] = {
    "whom?": ({}, "`server_name`, the name"),
    "both": ({"server_name": "a.b", "server_name_from_host": True}, "either `server_name`"),
    "unknown": ({"server_name": "a.b", "ca": "intrnal"}, "did you mean 'internal'?"),
    "unknown certificate": ({"server_name": "a.b", "certificate": "c"}, "tls.certificate: "),
    "contradiction": ({"verify": False, "ca": "internal"}, "no `ca` and no `verify_name`"),
    "injection": ({"server_name": "a) ssl verify none"}, "a DNS name"),
    "no HTTP": ({"server_name": "a.b", "alpn": "imap"}, "protocols that http mode speaks"),
}


@pytest.mark.parametrize("name", SERVERS)
def test_mistakes_of_tls_to_servers_are_told(name: str, folder: Path) -> None:
    tls, words = SERVERS[name]
    assert words in said(shop(servers=tls), folder)


def test_tcp_mode_has_no_host_header(folder: Path) -> None:
    data = shop(servers={"server_name_from_host": True})
    data["load_balancers"]["shop"]["frontends"]["https"]["mode"] = "tcp"
    assert "tcp mode reads no Host header" in said(data, folder)
