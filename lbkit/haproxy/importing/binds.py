"""Lines `bind`, and the certificates that they name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from lbkit.haproxy.importing.cfg import Line
from lbkit.haproxy.importing.crt_list import entries
from lbkit.haproxy.importing.fitting import misfit, misfit_as_words
from lbkit.haproxy.importing.process import Global
from lbkit.haproxy.importing.report import Report
from lbkit.haproxy.importing.settings import Proxy
from lbkit.haproxy.importing.values import Names, Place, place
from lbkit.haproxy.resolve.tls import HTTP_ALPN
from lbkit.haproxy.spec.tls import BindTls, Cipher

MOST_PORTS = 64
_NOT_A_CERTIFICATE = (".key", ".issuer", ".ocsp", ".sctl")  # configuration manual, 5.1 "crt"
_WITH_VALUE = frozenset(
    {
        *(
            "alpn",
            "backlog",
            "ca-file",
            "ca-ignore-err",
            "ca-sign-file",
            "ca-sign-pass",
            "ca-verify-file",
            "cc",
        ),
        *(
            "ciphers",
            "ciphersuites",
            "client-sigalgs",
            "crl-file",
            "crt",
            "crt-ignore-err",
            "crt-list",
            "curves",
        ),
        *(
            "default-crt",
            "ecdhe",
            "gid",
            "group",
            "guid-prefix",
            "id",
            "idle-ping",
            "interface",
            "label",
            "level",
        ),
        *("maxconn", "mode", "mss", "name", "namespace", "nice", "npn", "ocsp-update", "process", "proto"),
        *(
            "quic-cc-algo",
            "quic-socket",
            "severity-output",
            "shards",
            "sigalgs",
            "ssl-max-ver",
            "ssl-min-ver",
        ),
        *("tcp-ut", "thread", "tls-ticket-keys", "uid", "user", "verify", "accept-netscaler-cip"),
    }
)

_OF_TLS = frozenset(
    {
        *("ssl", "crt", "default-crt", "crt-list", "ca-file", "verify", "alpn", "ssl-min-ver", "ciphers"),
        *(
            "ciphersuites",
            "curves",
            "ecdhe",
            "strict-sni",
            "no-tls-tickets",
            "prefer-client-ciphers",
            "no-sslv3",
        ),
        *("no-tlsv10", "no-tlsv11"),
    }
)
_TAKEN = _OF_TLS | {"accept-proxy", "v4v6", "transparent", "id", "defer-accept-proxy"}


@dataclass(slots=True)
class Files:
    """Certificates and authorities of the whole load balancer, by their labels."""

    base: Global
    certificates: dict[str, dict[str, Any]] = field(default_factory=dict)
    authorities: dict[str, dict[str, Any]] = field(default_factory=dict)
    names: Names = field(default_factory=Names)

    def certificate(self, path: str, names: tuple[str, ...] = ()) -> str:
        key = f"{path} {' '.join(names)}".strip()
        if key not in self.names:
            self.names.labels[key] = self.names.free(
                Names.of([Path(path).stem or "x"])[Path(path).stem or "x"]
            )
            self.certificates[self.names[key]] = {"file": path, **({"names": list(names)} if names else {})}
        return self.names[key]

    def authority(self, path: str) -> str:
        stem = Path(path).stem or "x"
        for label, known in self.authorities.items():
            if known == {"file": path}:
                return label
        label = Names.of([stem])[stem]
        while label in self.authorities or label == "system":
            label += "-2"
        self.authorities[label] = {"file": path}
        return label


def binds(proxy: Proxy, files: Files, report: Report) -> list[Any]:
    found: list[Any] = []
    for line in proxy.all("bind"):
        said = _Said.of(line)
        texts = line.word(1).split(",")
        places = [where for where in (place(text, port=True) for text in texts) if where is not None]
        if (
            len(places) < len(texts)
            or line.variables
            or any(where.host and where.address is None for where in places)
        ):
            report.left_out(
                line, proxy.title, "lbkit's frontends listen on ports of addresses that are known"
            )
            continue
        common, missing = said.data(proxy, files, report)
        for where in places:
            found += [_short({**at, **common}) for at in _each(where)]
        if missing:
            report.left_out(line, proxy.title, missing)
        else:
            report.carried(line, proxy.title, "bind")
    return found


def _each(where: Place) -> Iterator[dict[str, Any]]:
    first = where.port or 0
    for port in range(first, min(where.last or first, first + MOST_PORTS - 1) + 1):
        yield {"port": port} if where.host in {"", "0.0.0.0"} else {"address": where.host, "port": port}  # noqa: S104


def _short(data: dict[str, Any]) -> Any:
    if set(data) == {"port"}:
        return data["port"]
    if set(data) == {"address", "port"}:
        host = data["address"]
        return f"[{host}]:{data['port']}" if ":" in host else f"{host}:{data['port']}"
    return data


@dataclass(slots=True)
class _Said:
    """The words of a line behind its address; a word may come again (`crt`)."""

    values: dict[str, list[str]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, line: Line) -> _Said:
        found = cls()
        words = iter(line.words[2:])
        for word in words:
            value = [next(words, "")] if word in _WITH_VALUE else []
            if word in _TAKEN:
                found.values.setdefault(word, []).extend(value)
            else:
                found.others += [word, *value]
        return found

    def data(self, proxy: Proxy, files: Files, report: Report) -> tuple[dict[str, Any], str]:
        """Keys that all its addresses share, and what is missing in them."""
        found: dict[str, Any] = {}
        missing = []
        if "accept-proxy" in self.values:
            found["accept_proxy"] = True
        if "ssl" in self.values:
            tls, wrong = self._tls(files, report, http=proxy.mode == "http")
            if tls:
                found["tls"] = tls
            missing += [wrong] if wrong else []
        if "id" in self.values:
            missing.append("without `id`: numbers are HAProxy's own")
        if self.others:
            words = " ".join(self.others)
            wrong = misfit_as_words(words)
            if wrong:
                missing.append(f"without `{words}`: `raw` takes {wrong}")
            else:
                found["raw"] = words
        return found, "; ".join(missing)

    def _tls(self, files: Files, report: Report, *, http: bool) -> tuple[dict[str, Any], str]:
        labels: list[str] = []
        for path in (*self.values.get("default-crt", ()), *self.values.get("crt", ())):
            labels += [files.certificate(each) for each in _files(files.base.path(path, "crt-base"))]
        for path in self.values.get("crt-list", ()):
            listed = entries(Path(path))
            if listed is None:
                return {}, f"without TLS: the list {path} cannot be read here"
            labels += [files.certificate(files.base.path(name, "crt-base"), names) for name, names in listed]
        labels = list(dict.fromkeys(labels))
        if not labels:
            return {}, "without TLS: its certificates cannot be found here"
        tls: dict[str, Any] = {"certificates": labels, "alpn": []}
        missing = []
        for protocol in self._one("alpn").split(",") if "alpn" in self.values else ():
            if (http and protocol not in HTTP_ALPN) or misfit(BindTls, "alpn", [protocol]):
                missing.append(f"without ALPN's {protocol}")
            elif protocol not in tls["alpn"]:
                tls["alpn"].append(protocol)
        if "strict-sni" in self.values:
            tls["strict_sni"] = True
        if self._one("ssl-min-ver") == "TLSv1.3":
            tls["min_version"] = "TLSv1.3"
        if self._one("verify") in {"required", "optional"} and "ca-file" in self.values:
            authority = files.authority(files.base.path(self._one("ca-file"), "ca-base"))
            tls["client"] = {"ca": authority, "verify": self._one("verify")}
        elif self._one("verify") not in {"", "none"}:
            missing.append("without `verify`: no `ca-file` says whom it trusts")
        ciphers = self._one("ciphers").split(":") if "ciphers" in self.values else []
        known = [cipher for cipher in ciphers if cipher in get_args(Cipher)]
        if known:
            tls["ciphers"] = known
        report.note(
            "binds with TLS speak TLSv1.2 at least, with ciphers and curves of lbkit's, without session tickets; the "
            "client chooses the cipher"
        )
        return tls, "; ".join(missing)

    def _one(self, word: str) -> str:
        return self.values.get(word, [""])[-1]


def _files(path: str) -> list[str]:
    """Of a folder those in it that HAProxy would load, in its order."""
    folder = Path(path)
    if not folder.is_dir():
        return [path]
    return [
        str(file)
        for file in sorted(folder.iterdir())
        if file.is_file() and not file.name.startswith(".") and not file.name.endswith(_NOT_A_CERTIFICATE)
    ]
