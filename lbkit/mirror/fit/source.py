"""Whether upstream answers this machine, asked as the keeper asks: by its options, with secrets in files of a folder that goes again."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lbkit.base.errors import Failure, Mistake
from lbkit.mirror.fit.told import Fit, refused
from lbkit.mirror.sync.ended import TransferFailed
from lbkit.mirror.sync.https.curl import Curl, Order
from lbkit.mirror.sync.rsync import Rsync
from lbkit.mirror.sync.upstream import Web, parse, upstream_of, web_of

_NAME = "upstream"
_SILENCE = 30.0  # seconds
_WITHIN = 120.0  # seconds for the headers of one file
_REMEDY = "look at its URL, at its password or keys, and at the way there; or do not ask"
_FAULT = 400  # from this status on HTTP says that it is none


@dataclass(frozen=True, slots=True)
class Asked:
    """As the topology declares it, but with the contents of files: "" where there is none."""

    url: str
    password: str = ""
    key: str = ""
    known_hosts: str = ""
    digests: str = ""
    ca: str = ""


def kind(url: str) -> str:
    """rsync, ssh, https or folder. Mistake where it is none."""
    return str(parse(url)["kind"])


def source(asked: Asked) -> Fit:
    """Mistake where what is asked is none that a mirror may have."""
    data = parse(asked.url)
    if data.get("user") and data["kind"] != "ssh" and not asked.password:
        return Fit(
            _NAME, False, f"{asked.url} has a user, and no password was given", "give it, or do not ask"
        )
    folder = Path(tempfile.mkdtemp(prefix="lbkit-"))  # for us alone (mode 700)
    try:
        return _asked(asked, data, folder)
    except TransferFailed as error:
        return Fit(_NAME, False, f"{asked.url}: {' '.join(error.found.split())}", _REMEDY)
    except Failure as error:
        return refused(_NAME, error)
    finally:
        shutil.rmtree(folder)


def _asked(asked: Asked, data: dict[str, Any], folder: Path) -> Fit:
    for name, content, field, kinds in (
        ("password", asked.password.strip(), "password_file", {"rsync", "https"}),
        ("key", _lines(asked.key), "key_file", {"ssh"}),
        ("known_hosts", _lines(asked.known_hosts), "known_hosts", {"ssh"}),
        ("ca", _lines(asked.ca), "ca_file", {"https"}),
    ):
        if not content:
            continue
        if data["kind"] not in kinds:
            raise Mistake(f"a URL that `{name}` is of use for was to be given", found=asked.url)
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(content)
        data[field] = str(folder / name)
    if data["kind"] != "https":
        count = Rsync(upstream_of(data), silence=_SILENCE).top()
        return Fit(_NAME, True, f"{asked.url} answers, with {count} names at its top")
    if not asked.digests:
        raise Mistake("with an https upstream also the list of its files was to be given", found=asked.url)
    return _web(web_of({**data, "digests": asked.digests}))


def _web(upstream: Web) -> Fit:
    at = upstream.digests
    if at.startswith("/"):
        if not Path(at).is_file():
            return Fit(
                _NAME, False, f"there is no list {at} on this machine", "the topology's `digests` names it"
            )
        at = ""
    url = f"{upstream.source}{quote(at, safe='/')}"
    ended = Curl(upstream, _SILENCE).call([Order(url)], left=_WITHIN)
    status = ended.answers[-1].status if ended.answers else 0
    if ended.code or not 0 < status < _FAULT:
        found = ended.words or (f"status {status}" if status else f"no answer within {_WITHIN:g} s")
        return Fit(_NAME, False, f"{url}: {found}", _REMEDY)
    return Fit(_NAME, True, f"{url} answers, status {status}")


def _lines(text: str) -> str:
    return f"{text.rstrip()}\n" if text.strip() else ""
