"""A virtual machine as desired and as seen, in one shape, and what a difference means. Pure.

The state of a machine:

    driver, host                 "libvirt", and the name of the host it stands on
    image, disk, user_data       what it was made from: "NAME@DIGEST", its disk's bytes or None, `hidden` or None
    memory, max_memory           MiB
    cpus, accelerator            of these four what the domain says, not what was once wanted
    interfaces                   by network: bridge, mac, mtu, addresses
    routes, ssh_keys             what its guest was told
    program                      the digest of the program that its guest runs
    running                      false: it died, or never ran

Of what was observed there is also `reason` (why it does not run), `answers` (whether its guest does), `generation`,
`boots`: since when, where its guest may answer yet; and `stopped`: when a person had it stopped.
Links that are up or down are the business of what hands over from one generation to the next (lbkit.machine.presence).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_interface
from typing import TYPE_CHECKING, Any

from lbkit.base.secrets import Secret
from lbkit.engine.book import IPAddress
from lbkit.engine.change import Action, Impact, Verdict
from lbkit.machine.libvirt.hiding import hidden, hidden_as
from lbkit.machine.libvirt.states import CRASHED, RUNNING, SHUT_OFF
from lbkit.machine.resolved import Interface, ResolvedMachine, ResolvedVm

if TYPE_CHECKING:
    from lbkit.machine.libvirt.observe import SeenDomain

State = dict[str, Any]

MIB = 1 << 20

# What a domain that runs cannot change. Processors could be plugged in, up to a maximum: a guest that was once given
# them does not let them go, and a replacement costs nobody a request.
_MADE_WITH = ("host", "image", "disk", "user_data", "accelerator", "cpus", "max_memory")


@dataclass(frozen=True, slots=True)
class Detach:
    network: str
    mac: str


@dataclass(frozen=True, slots=True)
class Attach:
    network: str


@dataclass(frozen=True, slots=True)
class SetMemory:
    mib: int


@dataclass(frozen=True, slots=True)
class Await:
    """Its guest, which boots. What it has of memory and which program it runs is known then."""


@dataclass(frozen=True, slots=True)
class Renew:
    """The guest's program: another lbkit gave it the one that it runs."""


@dataclass(frozen=True, slots=True)
class Tell:
    """The guest its identity: links, addresses, routes, keys."""


Live = Await | Renew | Detach | Attach | SetMemory | Tell
"""A step on a machine that runs. When all are taken, its metadata is written anew."""


def wanted(
    machine: ResolvedMachine, vm: ResolvedVm, host: str, image: str, accelerator: str, program: str = ""
) -> State:
    """`image` with its digest; `accelerator` as declared: auto, kvm or tcg; `program`: this lbkit's for guests."""
    user_data = vm.user_data if isinstance(vm.user_data, Secret | None) else Secret(vm.user_data)
    return {
        "driver": "libvirt",
        "host": host,
        "image": image,
        "disk": vm.disk,
        "user_data": hidden(user_data.digest, machine.group) if user_data else None,
        "memory": mib(vm.memory),
        "max_memory": mib(vm.max_memory),
        "cpus": vm.cpus,
        "accelerator": accelerator,
        "interfaces": {each.network: _interface(each) for each in machine.interfaces},
        "routes": sorted(f"{route.to} via {route.via}" for route in machine.routes),
        "ssh_keys": list(vm.ssh_keys),
        "program": program,
        "running": True,
    }


def _interface(interface: Interface) -> State:
    return {
        "bridge": interface.bridge,
        "mac": interface.mac.lower(),
        "mtu": interface.mtu,
        "addresses": sorted(map(str, interface.addresses)),
    }


def mib(size: int) -> int:
    """Bytes as MiB, part of one as one."""
    return -(-size // MIB)


def seen(
    domain: SeenDomain,
    want: Mapping[str, Any],
    host: str,
    *,
    answers: bool | None = None,
    boots: bool = False,
    program: str = "",
    inside: Mapping[str, Any] | None = None,
) -> State:
    """The state of one of the topology's own. `want`: as declared, or {}; `answers` None: nobody asked its guest.

    Interfaces are told apart by their MAC addresses, which both what was wanted and what is declared know. Others are
    somebody's own, and left alone. What only the guest knows is as it was last told, but for the addresses and routes
    that it says are set `inside` (guest/setting.py, `look`).
    """
    told = domain.wanted
    within = inside or {}
    networks = {
        each["mac"]: name
        for state in (want, told)
        for name, each in _mapping(state, "interfaces").items()
        if isinstance(each, Mapping) and isinstance(each.get("mac"), str)
    }
    return {
        "driver": "libvirt",
        "host": host,
        **{field: told.get(field) for field in ("image", "disk", "user_data")},
        # a guest has all until it has given some back
        "memory": told.get("memory") if boots else domain.memory,
        "max_memory": domain.max_memory,
        "cpus": domain.cpus,
        "accelerator": domain.accelerator,
        "interfaces": {
            networks[each.mac]: {
                "bridge": each.bridge,
                "mac": each.mac,
                "mtu": each.mtu,
                "addresses": told_addresses(within if inside else told, networks[each.mac]),
            }
            for each in domain.interfaces
            if each.mac in networks
        },
        "routes": within.get("routes") if inside else told.get("routes"),
        "ssh_keys": told.get("ssh_keys"),
        "program": program,
        "running": domain.state == RUNNING,
        "reason": ": ".join(part for part in (domain.state, domain.reason) if part),
        "answers": None if boots else answers,
        "boots": domain.started if boots else "",
        "generation": domain.generation,
        **({"stopped": domain.stopped} if domain.stopped else {}),
    }


def judge(want: Mapping[str, Any], have: Mapping[str, Any]) -> Verdict | None:
    if have.get("driver") != want["driver"]:
        return _replaced(
            want, [f"driver {have.get('driver')}, declared is {want['driver']}"], Impact.DISRUPTIVE
        )
    made_with = [_differs(field, want, have) for field in _MADE_WITH if not as_made(field, want, have)]
    if not have["running"]:
        if have.get("stopped") and not made_with and not _can_go_on(have):
            return Verdict(
                Action.RESTART,
                Impact.NONE,
                f"it was stopped at {have['stopped']}: it is started again",
                STARTING,
            )
        return _replaced(want, [f"it does not run ({have['reason']})"], Impact.NONE)
    if have.get("answers") is False:
        # what it serves may go on, and cannot be asked to finish
        return _replaced(want, ["its guest does not answer", *made_with], Impact.DISRUPTIVE)
    if made_with:
        return _replaced(want, made_with, Impact.NONE if have.get("boots") else Impact.HITLESS)
    steps = live(want, have)
    if not steps:
        return None
    words = [_differs("memory", want, have)] if want["memory"] != have["memory"] else []
    impact = Impact.HITLESS if words else Impact.NONE
    if have.get("boots"):
        words.insert(0, f"it boots, started at {have['boots']}")
    for each, reason in (*_interfaces(want, have), *_guest(want, have)):
        words.append(reason)
        impact = max(impact, each, key=list(Impact).index)
    return Verdict(
        Action.UPDATE,
        impact,
        "; ".join(words),
        (*(step_words(step, want) for step in steps), "note it on the domain"),
    )


STARTING = (
    "start its domain again",
    "wait until its guest answers",
    "tell its guest its links, addresses, routes and keys",
    "note it on the domain",
)


def runs(have: Mapping[str, Any]) -> bool:
    return bool(have["running"]) or _can_go_on(have)


def _can_go_on(have: Mapping[str, Any]) -> bool:
    """Paused, asleep or on its way down: its QEMU is there."""
    return not have["running"] and have["reason"].partition(":")[0] not in {SHUT_OFF, CRASHED}


def judge_replaced(want: Mapping[str, Any], have: Mapping[str, Any]) -> Verdict:
    """As a person asks for it."""
    told = judge(want, have)
    if told is not None and told.action is Action.REPLACE:
        return told
    idle = have.get("boots") or not have["running"]
    return _replaced(want, ["a new one is asked for"], Impact.NONE if idle else Impact.HITLESS)


def live(want: Mapping[str, Any], have: Mapping[str, Any]) -> tuple[Live, ...]:
    """The steps from `have` to `want` for a machine that runs and need not be made anew, in their order."""
    before, after = have["interfaces"], want["interfaces"]
    again = {name for name in before if name in after and _link(before[name]) != _link(after[name])}
    # first: what comes after may be news to the program before
    steps: list[Live] = [Await()] if have.get("boots") else []
    steps += [Renew()] if _of_another(want, have) else []
    steps += [
        Detach(name, before[name]["mac"]) for name in sorted(before) if name not in after or name in again
    ]
    steps += [Attach(name) for name in after if name not in before or name in again]
    if want["memory"] != have["memory"]:
        steps.append(SetMemory(want["memory"]))
    if any(have.get(field) != want[field] for field in ("interfaces", "routes", "ssh_keys")):
        steps.append(Tell())
    return tuple(steps)


def macs(told: Mapping[str, Any]) -> frozenset[str]:
    """Of the interfaces that lbkit gave a machine, by whatever once was wanted of it."""
    interfaces = _mapping(told, "interfaces").values()
    return frozenset(
        str(each["mac"])
        for each in interfaces
        if isinstance(each, Mapping) and isinstance(each.get("mac"), str)
    )


def addresses(told: Mapping[str, Any]) -> Iterator[IPAddress]:
    """All of a machine's, of whatever once was wanted of it."""
    for network in _mapping(told, "interfaces"):
        for each in told_addresses(told, network):
            with suppress(ValueError):
                yield ip_interface(each).ip


def step_words(step: Live, want: Mapping[str, Any]) -> str:
    match step:
        case Await():
            return "wait until its guest answers"
        case Renew():
            return "give its guest this lbkit's program"
        case Detach():
            return f"detach the interface on {step.network}"
        case Attach():
            return f"attach an interface on {step.network} ({want['interfaces'][step.network]['bridge']})"
        case SetMemory():
            return f"set its memory to {step.mib} MiB"
        case Tell():
            return "tell its guest its links, addresses, routes and keys"


def as_made(field: str, want: Mapping[str, Any], have: Mapping[str, Any]) -> bool:
    found, wished = have.get(field), want[field]
    if found == wished:
        return True
    match field:
        case "accelerator":
            # what "auto" once chose stays: a probe that comes out otherwise one night replaces no machine
            return bool(wished == "auto")
        case "user_data":  # earlier lbkits noted the plain digest
            return isinstance(found, str) and isinstance(wished, str) and hidden_as(wished, found) == wished
    return False


def _replaced(want: Mapping[str, Any], reasons: Sequence[str], impact: Impact) -> Verdict:
    return Verdict(
        Action.REPLACE,
        impact,
        f"{'; '.join(reasons)}: a new one takes its place",
        (
            f"make a disk of {want['image']}, and a seed",
            "start the new machine beside the old one, its links down",
            "wait until its guest answers",
        ),
    )


def _interfaces(want: Mapping[str, Any], have: Mapping[str, Any]) -> list[tuple[Impact, str]]:
    found = []
    before, after = have["interfaces"], want["interfaces"]
    for name in sorted({*before, *after}):
        if name not in after:
            found.append((Impact.DISRUPTIVE, f"interface {name} goes"))
        elif name not in before:
            found.append((Impact.NONE, f"interface {name} missing"))
        elif _link(before[name]) != _link(after[name]):
            parts = [part for part in _link(after[name]) if before[name][part] != after[name][part]]
            found.append((Impact.DISRUPTIVE, f"{', '.join(parts)} of interface {name} not as declared"))
        elif before[name] != after[name]:
            goes = sorted({*before[name]["addresses"]} - {*after[name]["addresses"]})
            comes = sorted({*after[name]["addresses"]} - {*before[name]["addresses"]})
            words = [f"{', '.join(goes)} goes"] * bool(goes) + [f"{', '.join(comes)} comes"] * bool(comes)
            found.append(
                (
                    Impact.DISRUPTIVE if goes else Impact.NONE,
                    f"of the addresses on {name} {' and '.join(words)}",
                )
            )
    return found


def _guest(want: Mapping[str, Any], have: Mapping[str, Any]) -> list[tuple[Impact, str]]:
    words = {
        "routes": (Impact.DISRUPTIVE, "routes not as declared"),
        "ssh_keys": (Impact.NONE, "ssh_keys changed"),
        "program": (Impact.NONE, "its guest has the program of another lbkit"),
    }
    return [
        told
        for field, told in words.items()
        if (_of_another(want, have) if field == "program" else have.get(field) != want[field])
    ]


def _of_another(want: Mapping[str, Any], have: Mapping[str, Any]) -> bool:
    """Whether its guest has the program of another lbkit, as far as is known."""
    return not have.get("boots") and have.get("program") != want["program"]


def _link(interface: Mapping[str, Any]) -> State:
    """Of an interface what the host's side of it is."""
    return {part: interface[part] for part in ("bridge", "mac", "mtu")}


def _differs(field: str, want: Mapping[str, Any], have: Mapping[str, Any]) -> str:
    if field == "user_data":
        return "user_data changed"
    unit = " MiB" if field in {"memory", "max_memory"} else " bytes" if field == "disk" else ""
    return f"{field} is {_shown(have.get(field), unit)}, declared is {_shown(want[field], unit)}"


def _shown(value: Any, unit: str) -> str:
    return "as the image's" if value is None else f"{value}{unit}"


def _mapping(state: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """What a domain's metadata has may be of any shape: only lbkit writes there, but others could."""
    value = state.get(field)
    return value if isinstance(value, Mapping) else {}


def told_addresses(told: Mapping[str, Any], network: str) -> list[str]:
    """On one network, of what a guest says of itself, or a domain's metadata: any shape, anybody's."""
    interface = _mapping(_mapping(told, "interfaces"), network)
    addresses = interface.get("addresses")
    return [each for each in addresses if isinstance(each, str)] if isinstance(addresses, list) else []
