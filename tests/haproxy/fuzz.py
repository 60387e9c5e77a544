"""Coverage-guided fuzzing of what reads texts that others wrote, and of what names may be (`make fuzz`; atheris).

`python tests/haproxy/fuzz.py KIND FOLDER... [options of libFuzzer]`. The first folder keeps the inputs that reached new
code, others have inputs to begin with. An input that breaks a promise ends the run, and lies in a file `crash-...`,
which given instead of folders is tried alone. Kinds:

- `values`: what the language takes as a text, in any of the places, brings no line, section or word of its own to
  haproxy.cfg.
- `files`: any text as haproxy.cfg is imported, or is a mistake with words; so is what comes of it for the loader.
- `replies`: any reply of HAProxy is data, or a failure that names the command.
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))

with atheris.instrument_imports(include=["lbkit"]):
    from lbkit.base.errors import Mistake
    from lbkit.base.problems import InvalidDocument
    from lbkit.haproxy.config.make import config_of
    from lbkit.haproxy.importing.cfg import lines
    from lbkit.haproxy.importing.whole import imported
    from lbkit.haproxy.runtime import questions
    from lbkit.haproxy.runtime.failure import RuntimeFailure
    from lbkit.haproxy.text.render import render
    from tests.haproxy.topologies import Document, load, resolved, with_

SHOP = "load_balancers.shop"
HARMLESS = "harmless"
PLACES = {
    "backends.web.health_check.path": "/harmless",
    "backends.web.health_check.host": HARMLESS,
    "backends.web.health_check.headers.X-A": HARMLESS,
    "backends.web.health_check.expect.body": HARMLESS,
    "backends.web.balance": "hdr(harmless)",
    "backends.web.cookie": HARMLESS,
    "backends.web.servers.1.name": HARMLESS,
    "backends.web.servers.1.address": "192.0.2.9",
    "backends.web.servers.1.raw": "tfo",
    "backends.web.servers.1.cookie": HARMLESS,
    "frontends.http.bind.raw": "tfo",
    "frontends.http.log_format": "%ci",
    "frontends.http.headers.request.set.X-A": HARMLESS,
    "frontends.http.headers.response.remove": HARMLESS,
    "frontends.http.rate_limit.by.header": HARMLESS,
    "frontends.http.compression.types.0": "text/plain",
    "frontends.http.raw.0": "option http-no-delay",
    "raw_defaults.0": "option http-no-delay",
    "log.0.address": "192.0.2.1",
    "metrics.path": "/metrics",
}
"""Places of texts in a load balancer, each with a value that does nothing else."""

FREE = {
    "frontends.http.raw.0": 0,
    "raw_defaults.0": 0,
    "frontends.http.bind.raw": 0,
    "backends.web.servers.1.raw": 0,
    "backends.web.servers.1.address": 0,  # words for the resolvers, where it is a name
    "backends.web.servers.1.name": 0,  # words for a cookie of its own
    "backends.web.balance": 1,  # a line `hash-type`
    "log.0.address": 0,
}
"""Places whose value may bring words of its own to its line, and how many lines more."""

SECTION = re.compile(r"(?m)^[^\s#].*$")

QUESTIONS: list[questions.Question[Any]] = [
    questions.INFO,
    questions.STAT,
    questions.SETTINGS,
    questions.SERVERS,
    questions.STATE_FILE,
    questions.MAPS,
    questions.CERTIFICATES,
    questions.PENDING_AUTHORITY,
    questions.map_entries("a.map"),
    questions.acl_entries("a.list"),
    questions.certificate("a.pem"),
    questions.authority("a.pem"),
    questions.crt_list("a.list"),
    questions.table("a"),
]


SITE = {
    "lbkit": 1,
    "name": "web",
    "networks": {"n": {"cidr": "10.0.0.0/24"}},
    "machines": {"lb": {"networks": ["n"]}},
}


@cache
def _full() -> Document:
    web = {
        "servers": [{"name": "a", "address": "192.0.2.8", "port": 80}, {"name": "b", "port": 80}],
        "health_check": {"protocol": "http", "headers": {"X-A": HARMLESS}, "expect": {"body": HARMLESS}},
    }
    frontend = {
        "bind": {"port": 80},
        "backend": "web",
        "headers": {"request": {"set": {}}, "response": {}},
        "rate_limit": {"requests": 1, "per": "1s", "by": {}},
        "compression": {"types": ["text/plain"]},
        "raw": [""],
    }
    full: Document = {
        "machines": "lb",
        "backends": {"web": web},
        "frontends": {"http": frontend},
        "raw_defaults": [""],
        "resolvers": {"nameservers": ["192.0.2.53"]},
        "log": [{"address": "192.0.2.1"}],
        "metrics": {"bind": 8405},
    }
    for place, harmless in PLACES.items():
        full = with_(place, harmless, full)
    return full


def _text(place: str, value: str) -> str:
    shop = with_(place, value, _full())
    return render(
        config_of(
            resolved(SITE | {"load_balancers": {"shop": shop}}), mark="lbkit:web:haproxy/lb-1/shop", user=None
        )
    )


@cache
def _harmless(place: str) -> str:
    return _text(place, PLACES[place])


@cache
def _harmless_shape(place: str) -> list[tuple[str, int]]:
    return _shape(_harmless(place))


def _shape(text: str) -> list[tuple[str, int]]:
    """Each line by its first word and how many words it has, read as HAProxy reads them."""
    return [(line.word(0), len(line.words)) for line in lines(text)]


def one_value(place: str, value: str) -> None:
    try:
        text = _text(place, value)
    except InvalidDocument:
        return
    assert "\0" not in text
    assert "\r" not in text
    assert SECTION.findall(text) == SECTION.findall(_harmless(place))
    if place in FREE:
        assert text.count("\n") <= _harmless(place).count("\n") + FREE[place]
    else:
        assert _shape(text) == _harmless_shape(place)


def one_file(text: str) -> None:
    try:
        found = imported(text, name="shop", machines="lb", file="haproxy.cfg")
    except Mistake:
        return
    with suppress(InvalidDocument):
        load(found.document)


def one_reply(question: questions.Question[Any], reply: str) -> None:
    with suppress(RuntimeFailure):
        question.answer(reply)


def values(text: str, which: int) -> None:
    one_value(list(PLACES)[which % len(PLACES)], text)


def files(text: str, which: int) -> None:
    one_file(text)


def replies(text: str, which: int) -> None:
    one_reply(QUESTIONS[which % len(QUESTIONS)], text)


def main(kind: str, options: list[str]) -> None:
    target = {"values": values, "files": files, "replies": replies}[kind]

    def one_input(data: bytes) -> None:
        target(data[:-1].decode(errors="replace"), data[-1] if data else 0)

    atheris.Setup([sys.argv[0], *options], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
