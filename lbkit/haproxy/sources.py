"""Lists of sources, as files of HAProxy's: one network a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network

from lbkit.haproxy.config.files import File, FileKind
from lbkit.haproxy.spec.handling import Handling


class Sources(StrEnum):
    ALLOW = "allow"
    DENY = "deny"


def list_path(frontend: str, which: Sources) -> str:
    return f"lists/{frontend}.{which}.list"


def list_files(frontend: str, handling: Handling) -> Iterator[File]:
    for which, networks in ((Sources.ALLOW, handling.allow), (Sources.DENY, handling.deny)):
        if networks is not None:
            yield File(list_path(frontend, which), FileKind.LIST, _lines(networks).encode())


def _lines(networks: Iterable[IPv4Network | IPv6Network]) -> str:
    def place(network: IPv4Network | IPv6Network) -> tuple[int, int, int]:
        return network.version, int(network.network_address), network.prefixlen

    return "".join(f"{network}\n" for network in sorted(set(networks), key=place))
