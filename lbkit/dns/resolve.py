"""Zones with everything filled in: which servers, which key, which rrsets; every mistake said."""

from __future__ import annotations

import os
import stat
from collections import Counter

from lbkit.base.problems import Path as Place
from lbkit.base.problems import near
from lbkit.dns.names import absolute, owner_name
from lbkit.dns.resolved import KeySource, ResolvedRrset, ResolvedServer, ResolvedZone, Zones
from lbkit.dns.spec import Dns, Record, Tsig, Zone
from lbkit.dns.values import parse
from lbkit.engine.book import Endpoint, IPAddress
from lbkit.engine.resource import Key
from lbkit.engine.scope import Draft
from lbkit.machine.resolved import Machines


def resolve(section: Dns, draft: Draft) -> Zones:
    zones = {}
    for name, zone in section.zones.items():
        place: Place = ("dns", "zones", name)
        servers = _servers(zone, draft, place)
        key = _key(zone.tsig, draft, (*place, "tsig"))
        rrsets = _Rrsets(name, zone, draft, place, frozenset(section.zones) - {name}).resolved()
        zones[name] = ResolvedZone(name, servers, key, zone.settle, rrsets)
    return Zones(zones)


def _servers(zone: Zone, draft: Draft, place: Place) -> tuple[ResolvedServer, ...]:
    servers: dict[tuple[IPAddress, int], ResolvedServer] = {}
    machines = draft.resolved.get("machine")
    for index, server in enumerate(zone.servers):
        here = (*place, "servers", index)
        port = server.port or zone.port
        found: list[ResolvedServer] = []
        if server.address is not None:
            found.append(ResolvedServer(server.address, port, keys=_keys_behind(server.address, draft)))
        elif isinstance(machines, Machines) and server.machines is not None:
            if draft.is_broken("machines", server.machines):
                continue
            if server.machines not in machines.groups:
                draft.problems.add(
                    here,
                    "a group of machines, or the address of a server elsewhere",
                    found=repr(server.machines),
                    remedy=near(server.machines, machines.groups),
                )
                continue
            found += [
                ResolvedServer(address, port, member, _keys_of(machines, member))
                for member in machines.groups[server.machines]
                for address in [_address_of(machines, member)]
                if address is not None
            ]
            if not found:
                draft.problems.add(here, "a group with machines that have addresses", found="it has none")
        for one in found:
            if (one.address, one.port) in servers:
                draft.problems.add(here, "each server once", found=f"{one} again")
            servers[one.address, one.port] = one
    return tuple(servers.values())


def _address_of(machines: Machines, member: str) -> IPAddress | None:
    addresses = (address.ip for one in machines.by_name[member].interfaces for address in one.addresses)
    return next(addresses, None)


def _keys_behind(address: IPAddress, draft: Draft) -> frozenset[Key]:
    """What must stand for a server at `address` to answer, where this topology makes it: none for one elsewhere."""
    keys: set[Key] = set()
    machines = draft.resolved.get("machine")
    for endpoint in {one.name: one for found in draft.book.entries.values() for one in found}.values():
        if any(address in addresses for addresses in endpoint.addresses.values()):
            keys |= endpoint.keys
            if isinstance(machines, Machines) and endpoint.name in machines.by_name:
                keys |= _keys_of(machines, endpoint.name)
    return frozenset(keys)


def _keys_of(machines: Machines, member: str) -> frozenset[Key]:
    services = {Key("service", f"{member}/{service.name}") for service in machines.by_name[member].services}
    return frozenset({Key("machine", member)} | services)


def _key(tsig: Tsig, draft: Draft, place: Place) -> KeySource:
    if tsig.secret.file is None:
        return KeySource(tsig.name, tsig.algorithm, env=tsig.secret.env)
    path = draft.folder / tsig.secret.file
    here = (*place, "secret", "file")
    try:
        found = os.stat(path)
    except OSError as error:
        draft.problems.add(
            here,
            f"the secret file {path}",
            found=error.strerror or str(error),
            remedy=f"`lbkit keygen {path}` makes a new key; its zone's servers need it too",
        )
    else:
        if not stat.S_ISREG(found.st_mode):
            draft.problems.add(here, f"{path} as a file", found=stat.filemode(found.st_mode))
        elif found.st_mode & 0o077:
            draft.problems.add(
                here,
                "a secret file that its owner alone can read",
                found=f"mode {stat.S_IMODE(found.st_mode):04o}",
                remedy=f"chmod 600 {path}",
            )
    return KeySource(tsig.name, tsig.algorithm, file=path)


class _Rrsets:
    """The records of one zone, gathered by name and type."""

    def __init__(self, zone: str, spec: Zone, draft: Draft, place: Place, others: frozenset[str]) -> None:
        self.zone = zone
        self.spec = spec
        self.draft = draft
        self.place = place
        self.deeper = sorted(other for other in others if other.endswith(f".{zone}"))
        self.found: dict[tuple[str, str], ResolvedRrset] = {}
        self.places: dict[tuple[str, str], Place] = {}

    def resolved(self) -> dict[tuple[str, str], ResolvedRrset]:
        for index, record in enumerate(self.spec.records):
            self._record(record, (*self.place, "records", index))
        kinds: dict[str, list[str]] = {}
        for name, kind in self.found:
            kinds.setdefault(name, []).append(kind)
        for name, beside in kinds.items():
            if "CNAME" in beside and len(beside) > 1:
                others = ", ".join(sorted(set(beside) - {"CNAME"}))
                self._say(
                    self.places[name, "CNAME"],
                    "a CNAME alone at its name (RFC 1034 section 3.6.2)",
                    f"{others} at {name!r} too",
                )
        return self.found

    def _say(self, place: Place, wanted: str, found: str = "", remedy: str = "") -> None:
        self.draft.problems.add(place, wanted, found=found, remedy=remedy)

    def _record(self, record: Record, place: Place) -> None:
        try:
            name = owner_name(record.name, self.zone)
        except ValueError as error:
            self._say((*place, "name"), str(error), repr(record.name))
            return
        whole = absolute(name, self.zone)
        for deeper in self.deeper:
            if whole == deeper or whole.endswith("." + deeper):
                self._say((*place, "name"), f"a name outside of {deeper}, which is a zone of its own", whole)
                return
        if record.target is not None:
            self._target(record, name, place)
            return
        kind = record.type or ""
        if name == "@" and kind in {"CNAME", "NS"}:
            self._say(
                (*place, "type"),
                "another type at the zone's apex, which has an SOA and its servers' NS",
                kind,
            )
            return
        if kind == "NS" and name.startswith("*"):
            self._say((*place, "name"), "no wildcard for an NS (RFC 4592 section 4.2)", name)
            return
        values: list[str] = []
        one = record.value is not None
        for index, text in enumerate((record.value,) if one else record.values or ()):
            here = (*place, "value") if one else (*place, "values", index)
            try:
                values.append(parse(kind, text or "", self.zone))
            except ValueError as error:
                self._say(here, str(error), repr(text))
        self._add(record, name, kind, values, place)

    def _target(self, record: Record, name: str, place: Place) -> None:
        reference = record.target or ""
        endpoints = self.draft.book.endpoints(reference)
        if self.draft.is_broken(*reference.split(".")):
            return
        if endpoints is None:
            remedy = near(reference, self.draft.book.entries)
            self._say(
                (*place, "target"),
                "load_balancers.NAME or machines.GROUP of this document",
                repr(reference),
                remedy,
            )
            return
        addresses: list[IPAddress] = []
        keys: set[Key] = set()
        for endpoint in endpoints:
            network = record.network or self._only_network(endpoint, place)
            if network is None:
                return
            if network not in endpoint.addresses:
                remedy = near(network, endpoint.addresses)
                self._say(
                    (*place, "network"), f"a network that {endpoint.name} stands on", repr(network), remedy
                )
                return
            addresses += endpoint.addresses[network]
            keys |= endpoint.keys
        families = {f"{'A' if address.version == 4 else 'AAAA'}" for address in addresses}
        if record.type and endpoints and record.type not in families:
            version = 4 if record.type == "A" else 6
            self._say((*place, "type"), f"a target with IPv{version} addresses", f"{reference} has none")
        for kind in sorted(families & {record.type} if record.type else families):
            mine = [str(address) for address in addresses if address.version == (4 if kind == "A" else 6)]
            self._add(record, name, kind, mine, place, frozenset(keys))

    def _only_network(self, endpoint: Endpoint, place: Place) -> str | None:
        if len(endpoint.addresses) == 1:
            return next(iter(endpoint.addresses))
        found = ", ".join(endpoint.addresses) or "none"
        self._say(
            (*place, "network"),
            f"the network of {endpoint.name} whose addresses are meant",
            f"it stands on {found}",
        )
        return None

    def _add(
        self,
        record: Record,
        name: str,
        kind: str,
        values: list[str],
        place: Place,
        requires: frozenset[Key] = frozenset(),
    ) -> None:
        """Enter `values`, beside those of earlier records of that name and type."""
        ttl = self.spec.ttl if record.ttl is None else record.ttl
        targets = (record.target,) if record.target else ()
        before = self.found.get((name, kind))
        if before is None:
            before = ResolvedRrset(name, kind, ttl, ())
            self.places[name, kind] = place
        elif before.ttl != ttl:
            self._say(place, f"one TTL for {name} {kind} (RFC 2181 section 5.2)", f"{before.ttl} and {ttl}")
        merged = [*before.values, *values]
        for value in sorted(value for value, count in Counter(merged).items() if count > 1):
            self._say(place, f"each value of {name} {kind} once", value)
        if kind == "CNAME" and len(merged) > 1:
            self._say(place, "one value for a CNAME (RFC 2181 section 10.1)", ", ".join(merged))
        self.found[name, kind] = ResolvedRrset(
            name,
            kind,
            before.ttl,
            tuple(sorted(merged)),
            before.requires | requires,
            before.targets + targets,
        )
