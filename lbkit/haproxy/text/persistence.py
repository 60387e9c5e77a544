"""What keeps a client at its server: a cookie, or a table of clients' addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from lbkit.haproxy.config.sections import Backend
from lbkit.haproxy.config.times import ms
from lbkit.haproxy.spec.persistence import Cookie, Persist
from lbkit.haproxy.spec.words import PEERS
from lbkit.haproxy.text.words import Words


def persistence(section: Backend) -> Iterator[Words]:
    if section.traffic.cookie is not None:
        yield _cookie(section.traffic.cookie)
        if section.traffic.cookie.dynamic:
            # The same on all members, and no secret: it hides names, and addresses from a glance.
            key = hashlib.sha256(f"{section.host}/{section.name}".encode()).hexdigest()[:32]
            yield "dynamic-cookie-key", key
    if section.traffic.persist is not None:
        yield from _table(section.traffic.persist)


def _cookie(cookie: Cookie) -> Words:
    words: list[str | int] = ["cookie", cookie.name, cookie.method]
    if cookie.method != "insert":
        return tuple(words)
    options = {
        "indirect": cookie.indirect,
        "nocache": cookie.nocache,
        "postonly": cookie.postonly,
        "preserve": cookie.preserve,
        "httponly": cookie.httponly,
        "secure": cookie.secure,
        "dynamic": cookie.dynamic,
    }
    words += [option for option, on in options.items() if on]
    if cookie.domain is not None:
        words += ["domain", cookie.domain]
    if cookie.max_idle is not None:
        words += ["maxidle", ms(cookie.max_idle)]
    if cookie.max_life is not None:
        words += ["maxlife", ms(cookie.max_life)]
    if cookie.same_site is not None:
        words += ["attr", f"SameSite={cookie.same_site.capitalize()}"]
    return tuple(words)


def _table(persist: Persist) -> Iterator[Words]:
    # ipv6 holds both families; servers by name, because their numbers change when others come and go
    yield (
        "stick-table",
        *(
            "type",
            "ipv6",
            "size",
            persist.size,
            "expire",
            ms(persist.expire),
            "srvkey",
            "name",
            "peers",
            PEERS,
        ),
    )
    yield "stick", "on", "src"
