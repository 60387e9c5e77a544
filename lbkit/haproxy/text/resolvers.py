"""The section `resolvers`."""

from __future__ import annotations

from collections.abc import Iterator

from lbkit.haproxy.config.times import ms
from lbkit.haproxy.spec.names import Resolvers
from lbkit.haproxy.text.words import Words, endpoint


def resolvers(section: Resolvers) -> Iterator[Words]:
    if section.nameservers == "system":
        yield ("parse-resolv-conf",)
    else:
        for number, server in enumerate(section.nameservers, start=1):
            yield "nameserver", f"ns{number}", endpoint(server.address.compressed, server.port)
    yield "accepted_payload_size", section.payload
    yield "resolve_retries", section.retries
    yield "timeout", "resolve", ms(section.interval)
    yield "timeout", "retry", ms(section.timeout)
    hold = section.hold
    periods = {
        "nx": hold.missing,
        "refused": hold.refused,
        "timeout": hold.timeout,
        "other": hold.other,
        "obsolete": hold.obsolete,
    }
    for status, period in periods.items():
        yield "hold", status, ms(period)
