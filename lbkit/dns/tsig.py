"""TSIG keys: where the secret is, read when a server is asked, and never earlier or elsewhere."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lbkit.base.errors import Mistake
from lbkit.base.secrets import Secret, read_secret_file
from lbkit.dns.resolved import KeySource


@dataclass(frozen=True, slots=True)
class TsigKey:
    """`secret` holds the raw octets."""

    name: str
    algorithm: str
    secret: Secret


@dataclass(frozen=True, slots=True)
class _Clause:
    name: str
    algorithm: str
    secret: str


def read_key(source: KeySource, environment: Mapping[str, str] | None = None) -> TsigKey:
    """The key with its secret. Raises Mistake where it cannot be had, or is not the key that was declared."""
    if source.file is not None:
        where = str(source.file)
        text = read_secret_file(source.file).reveal().decode("ascii", "replace")
        remedy = "`lbkit keygen FILE` makes a new one"
    else:
        where = f"${source.env}"
        text = (os.environ if environment is None else environment).get(source.env or "", "")
        remedy = f"set the environment variable {source.env}"
        if not text:
            raise Mistake(
                f"the secret of the TSIG key {source.name!r} in {where}", found="it is not set", remedy=remedy
            )
    return key_of(source, text, where, remedy)


def key_of(source: KeySource, text: str, where: str, remedy: str) -> TsigKey:
    """The key whose secret, or whole clause, is `text`; `where` and `remedy` are for a Mistake."""
    clauses = _clauses(text)
    if clauses:
        text = _declared(clauses, source, where).secret
    try:
        octets = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    if not octets:
        raise Mistake(
            f"the secret of the TSIG key {source.name!r} in base64, or a key clause of BIND",
            found="neither of them",
            where=where,
            remedy=remedy,
        )
    return TsigKey(source.name, source.algorithm, Secret(octets))


def _declared(clauses: list[_Clause], source: KeySource, where: str) -> _Clause:
    for clause in clauses:
        if clause.name == source.name:
            if clause.algorithm != source.algorithm:
                raise Mistake(
                    f"the TSIG key {source.name!r} with algorithm {source.algorithm}",
                    found=f"algorithm {clause.algorithm}",
                    where=where,
                    remedy="write the same algorithm in the document",
                )
            return clause
    raise Mistake(
        f"the TSIG key {source.name!r}",
        found="a key by the name of " + ", ".join(repr(clause.name) for clause in clauses),
        where=where,
        remedy="write the same name in the document",
    )


_COMMENT = re.compile(r"/\*.*?\*/|(?://|#)[^\n]*", re.DOTALL)
_CLAUSE = re.compile(r'key\s+"?([^\s"{;]+)"?\s*\{([^{}]*)\}\s*;')
_STATEMENT = re.compile(r'(algorithm|secret)\s+"?([^\s";]+)"?\s*;')


def _clauses(text: str) -> list[_Clause]:
    """The key clauses in `text`, as named.conf has them. A base64 secret may hold "//": it is read apart."""
    if "{" not in text:
        return []
    quoted_safe = _COMMENT.sub(" ", re.sub(r'"[^"\n]*"', lambda match: match[0].replace("/", "\0"), text))
    found = []
    for match in _CLAUSE.finditer(quoted_safe):
        fields = {name: value.replace("\0", "/") for name, value in _STATEMENT.findall(match[2])}
        name = match[1].replace("\0", "/").lower().removesuffix(".")
        algorithm = fields.get("algorithm", "").lower().removesuffix(".")
        found.append(_Clause(name, algorithm, fields.get("secret", "")))
    return found
