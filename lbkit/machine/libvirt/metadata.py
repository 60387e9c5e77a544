"""What a domain carries of lbkit's in its metadata: whose it is, which generation, what was wanted, its volumes.

    <lbkit:machine xmlns:lbkit="urn:lbkit:machine:1" owner="lbkit:web:machine/lb-1" generation="1" digest="...">
      <lbkit:wanted>{"cpus":1,...}</lbkit:wanted>
      <lbkit:volume name="web.lb-1.1.disk.qcow2"/>
    </lbkit:machine>

Whoever may define a domain may write there what they like: reading is strict, and bounded.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from xml.etree import ElementTree as ET

from lbkit.base.mark import Mark, read_mark
from lbkit.machine.libvirt.names import domain_name
from lbkit.machine.libvirt.xml.element import Unreadable, as_text, element, parse, word

NAMESPACE = "urn:lbkit:machine:1"
PREFIX = "lbkit"  # the key that libvirt's setMetadata asks for
MOST_JSON = 256 << 10  # characters
MOST_VOLUMES = 16
VOLUME = r"[a-z0-9][a-z0-9._-]{0,254}"

_QUALIFIED = f"{{{NAMESPACE}}}"
_GENERATION = re.compile(r"[1-9][0-9]{0,8}\Z", re.ASCII)
_OWNED = re.compile(r"(machine|spare)/([a-z0-9][a-z0-9-]*)\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00\Z", re.ASCII)
_DOMAIN = re.compile(r"[a-z0-9][a-z0-9.-]{0,199}\Z")

ET.register_namespace(PREFIX, NAMESPACE)


@dataclass(frozen=True, slots=True)
class Metadata:
    """`wanted` is plain JSON data without secrets: others who may look at domains read it.

    Of a spare `member` is the group that it is for, and `generation` its number. `name` is the domain's where that is
    another one than `names.domain_name` gives: a machine that was made of a spare keeps the spare's. `started`: when it
    was, in ISO 8601, as long as nobody has seen its guest answer. `stopped`: when a person had it stopped, to be started again.
    """

    topology: str
    member: str
    generation: int
    wanted: Mapping[str, Any]
    volumes: tuple[str, ...] = ()
    kind: Literal["machine", "spare"] = "machine"
    name: str = ""
    started: str = ""
    stopped: str = ""

    @property
    def domain(self) -> str:
        """The name of the domain that this is of: who copies a domain copies its metadata."""
        return self.name or domain_name(self.topology, self.member, self.generation)

    @property
    def digest(self) -> str:
        return digest_of(self.wanted)

    @property
    def owner(self) -> str:
        return str(Mark(self.topology, f"{self.kind}/{self.member}"))


def canonical(wanted: Mapping[str, Any]) -> str:
    """One text for equal data, in printable ASCII."""
    text = json.dumps(wanted, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.replace("\x7f", "\\u007f")


def digest_of(wanted: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(wanted).encode()).hexdigest()[:16]


def metadata_element(metadata: Metadata) -> ET.Element:
    """As it stands in a domain's XML."""
    return _written(metadata, _QUALIFIED)


def metadata_xml(metadata: Metadata) -> str:
    """For setMetadata(VIR_DOMAIN_METADATA_ELEMENT, ..., PREFIX, NAMESPACE), which puts it in the namespace by itself."""
    return as_text(_written(metadata, ""))


def find_metadata(domain: ET.Element) -> Metadata | None:
    """What lbkit wrote in a <domain>; None where there is nothing. Raises `Unreadable` where it has some that is not so."""
    found = domain.findall(f"metadata/{_QUALIFIED}machine")
    if len(found) > 1:
        raise Unreadable("metadata of lbkit's, twice")
    return _read(found[0], _QUALIFIED) if found else None


def parse_metadata(xml: str) -> Metadata:
    """What libvirt's `metadata(VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE)` gives: it takes the namespace off again."""
    return _read(parse(xml, "machine"), "")


def _written(metadata: Metadata, namespace: str) -> ET.Element:
    machine = element(
        f"{namespace}machine",
        element(f"{namespace}wanted", canonical(metadata.wanted)),
        *(
            element(f"{namespace}volume", name=word(name, VOLUME, "a volume's name"))
            for name in metadata.volumes
        ),
        owner=metadata.owner,
        generation=metadata.generation,
        digest=metadata.digest,
        domain=metadata.name or None,
        started=metadata.started or None,
        stopped=metadata.stopped or None,
    )
    _read(machine, namespace)  # what is written can be read again, or is not written
    return machine


def _read(machine: ET.Element, namespace: str) -> Metadata:
    mark = read_mark(machine.get("owner"))
    owned = _OWNED.match(mark.path) if mark else None
    if mark is None or owned is None:
        raise Unreadable("no owner mark of a machine")
    generation = machine.get("generation", "")
    if not _GENERATION.match(generation):
        raise Unreadable("no generation")
    wanted = _read_wanted(machine.findtext(f"{namespace}wanted") or "")
    if machine.get("digest") != digest_of(wanted):
        raise Unreadable("what was wanted does not have the digest that stands beside it")
    volumes = tuple(each.get("name", "") for each in machine.findall(f"{namespace}volume"))
    if len(volumes) > MOST_VOLUMES or not all(re.fullmatch(VOLUME, name, re.ASCII) for name in volumes):
        raise Unreadable("names of volumes that are none of lbkit's")
    name = machine.get("domain", "")
    if name and not _DOMAIN.match(name):
        raise Unreadable("a domain's name that is none of lbkit's")
    started, stopped = machine.get("started", ""), machine.get("stopped", "")
    if any(time and not _TIME.match(time) for time in (started, stopped)):
        raise Unreadable("a time that is none")
    kind: Literal["machine", "spare"] = "spare" if owned[1] == "spare" else "machine"
    return Metadata(mark.topology, owned[2], int(generation), wanted, volumes, kind, name, started, stopped)


def _read_wanted(text: str) -> dict[str, Any]:
    if len(text) > MOST_JSON:
        raise Unreadable(f"{len(text)} characters of what was wanted")
    try:
        wanted = json.loads(text, parse_constant=_no_constant)
        canonical(wanted)  # 1e999 is read as what cannot be written
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"what was wanted is not JSON: {error}") from error
    if not isinstance(wanted, dict):
        raise Unreadable("what was wanted is not an object")
    return wanted


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
