"""TLS to servers, where all have it alike and in a way that the language has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lbkit.haproxy.importing.binds import Files
from lbkit.haproxy.importing.fitting import misfit_of
from lbkit.haproxy.importing.report import Report
from lbkit.haproxy.importing.servers import Server
from lbkit.haproxy.spec.tls import ServerTls

_WORDS = ("ssl", "verify", "ca-file", "sni", "verifyhost", "crt", "alpn", "ssl-min-ver")
_OTHERS = frozenset(
    {"no-ssl", "ciphers", "ciphersuites", "ssl-max-ver", "force-tlsv12", "force-tlsv13", "check-sni"}
)
_SNI = re.compile(r"str\(([A-Za-z0-9._-]+)\)\Z")


def server_tls(found: Sequence[Server], files: Files, report: Report) -> dict[str, Any]:
    """The key, {} for none: then its words stay with each server."""
    kinds = {tuple((word, server.words.get(word)) for word in _WORDS) for server in found}
    if len(kinds) != 1 or any(_OTHERS & server.words.keys() for server in found):
        return {}
    words = {word: value for word, value in next(iter(kinds)) if value is not None}
    if "ssl" not in words:
        return {}
    sni = _SNI.match(words["sni"]) if "sni" in words else None
    if "sni" in words and sni is None:
        return {}
    verified = words.get("verify") == "required" or ("verify" not in words and files.base.verifies)
    data: dict[str, Any] = {"verify": verified}
    if verified:
        path = files.base.path(words.get("ca-file", ""), "ca-base")
        if path in {"", "@system-ca"}:
            data["ca"] = "system"
        else:
            data["ca"] = files.authority(path)
        if sni is None:
            data["verify_name"] = words.get("verifyhost", False)
        elif "verifyhost" in words:
            data["verify_name"] = words["verifyhost"]
        del data["verify"]
    if sni is not None:
        data["server_name"] = sni[1]
    if "crt" in words:
        data["certificate"] = files.certificate(files.base.path(words["crt"], "crt-base"))
    if "alpn" in words:
        data["alpn"] = words["alpn"].split(",")
    if words.get("ssl-min-ver", "TLSv1.2") != "TLSv1.2":
        data["min_version"] = words["ssl-min-ver"]
    if misfit_of(ServerTls, data):
        return {}
    for server in found:
        server.take(*_WORDS)
    report.note(
        "servers with TLS are spoken to by TLSv1.2 at least; their health checks ask for the same name (SNI)"
    )
    return data
