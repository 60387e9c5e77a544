"""keepalived's configuration of one machine, as typed values, and its text (keepalived.conf(5))."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lbkit.base.mark import mark
from lbkit.engine.book import IPAddress
from lbkit.haproxy.config.paths import RUNTIME_SOCKET
from lbkit.haproxy.resolved import ResolvedVip, program_name, vip_program_name
from lbkit.machine.contract import Program

KIND = "vip"
CONFIG = "keepalived.conf"
WATCH = "watch.py"
STATE = "haproxy.state"
"""Files of the service's folder, keepalived's working directory. STATE is written by watch.py."""

HIGHEST = 250
STEP = 10
"""Priorities: a wait for a silent master differs from one backup to the next by STEP/256 of the interval, so that
the next one's advertisement comes before another takes the address too (RFC 5798 section 6.1, Skew_Time)."""

GARP_AGAIN = 1  # seconds after a takeover: a second round of gratuitous ARP, for who missed the first
GARP_REFRESH = 60  # seconds: a neighbour's wrong entry lives no longer


@dataclass(frozen=True, slots=True)
class Vrrp:
    """`excluded`: addresses of the other family, which move along without being advertised.

    `interface` is named as the network inside the machine. `interval` is in seconds.
    """

    mark: str
    member: str
    name: str
    interface: str
    router_id: int
    priority: int
    interval: float
    source: IPAddress
    peers: tuple[IPAddress, ...]
    addresses: tuple[IPAddress, ...]
    excluded: tuple[IPAddress, ...] = ()


def vrrp_of(balancer: str, vip: ResolvedVip, member: str, topology: str) -> Vrrp:
    """The part of `member`. Adverts go by IPv4 where the virtual address has it: one election for both families."""
    version = min(address.version for address in vip.addresses)
    speakers = {
        name: next(address for address in addresses if address.version == version)
        for name, addresses in vip.peers.items()
    }
    return Vrrp(
        mark=mark(topology, KIND, member, balancer),
        member=member,
        name=balancer,
        interface=vip.network,
        router_id=vip.router_id,
        priority=HIGHEST - STEP * list(vip.peers).index(member),
        interval=vip.interval,
        source=speakers[member],
        peers=tuple(address for name, address in speakers.items() if name != member),
        addresses=tuple(address for address in vip.addresses if address.version == version),
        excluded=tuple(address for address in vip.addresses if address.version != version),
    )


def render(vrrp: Vrrp) -> str:
    """All values are labels, addresses and numbers: types that hold nothing keepalived would read otherwise."""
    lines = [
        f"# {vrrp.mark}",
        "# lbkit made this file, and the next apply writes it anew: change the topology's file instead.",
        "",
        "global_defs {",
        f"    router_id {vrrp.member}",
        "    vrrp_version 3",
        f"    vrrp_garp_master_delay {GARP_AGAIN}",
        f"    vrrp_garp_master_refresh {GARP_REFRESH}",
        "}",
        "",
        "track_file haproxy {",
        f'    file "{STATE}"',
        "    weight 0",
        "}",
        "",
        f"vrrp_instance {vrrp.name} {{",
        "    state BACKUP",
        "    nopreempt",
        f"    interface {vrrp.interface}",
        f"    virtual_router_id {vrrp.router_id}",
        f"    priority {vrrp.priority}",
        f"    advert_int {vrrp.interval:.2f}",
        *_speech(vrrp),
        *_block("track_file", ["haproxy"]),
        *_block("virtual_ipaddress", [_address(each, vrrp.interface) for each in vrrp.addresses]),
        *_block("virtual_ipaddress_excluded", [_address(each, vrrp.interface) for each in vrrp.excluded]),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _speech(vrrp: Vrrp) -> list[str]:
    """To its peers alone, by unicast: that crosses switches that drop multicast. Without peers there is nobody to hear."""
    if not vrrp.peers:
        return []
    return [
        f"    unicast_src_ip {vrrp.source.compressed}",
        *_block("unicast_peer", [peer.compressed for peer in vrrp.peers]),
        "    check_unicast_src",
    ]


def _block(name: str, entries: list[str]) -> list[str]:
    return [f"    {name} {{", *(f"        {entry}" for entry in entries), "    }"] if entries else []


def _address(address: IPAddress, interface: str) -> str:
    # the whole length: its network is there already by the machine's own address, and stays when this one goes
    if address.version == 4:
        return f"{address}/32 dev {interface}"
    return f"{address.compressed}/128 dev {interface} -nodad"


def watch_script() -> bytes:
    return Path(__file__).with_name(WATCH).read_bytes()


def script_digest() -> str:
    return hashlib.sha256(watch_script()).hexdigest()[:32]


def loaded_digest(text: str, script: str) -> str:
    """What the running program is said to have loaded: its configuration, by which script."""
    return hashlib.sha256(f"{script}\n{text}".encode()).hexdigest()[:32]


def program_of(balancer: str, digest: str) -> Program:
    socket = f"../{program_name(balancer)}/{RUNTIME_SOCKET}"
    argv = ("python3", "-I", "-S", WATCH, socket, CONFIG, STATE)
    return Program(vip_program_name(balancer), argv, digest=digest, kind=KIND)
