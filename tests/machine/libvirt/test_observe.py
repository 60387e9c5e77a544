"""Domains as seen: of libvirt's test driver, and of a real libvirtd with QEMU. Both take what lbkit writes, and give it back."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import libvirt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbkit import operate
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.hypervisor.connection import Connection, close_all, connect
from lbkit.hypervisor.daemon import Daemon
from lbkit.hypervisor.failures import Unreachable
from lbkit.hypervisor.resolved import Hypervisors, ResolvedHost
from lbkit.machine.guest.hello import Hello
from lbkit.machine.guest.port import Line
from lbkit.machine.libvirt import fleet
from lbkit.machine.libvirt.images_used import images_used
from lbkit.machine.libvirt.metadata import NAMESPACE, PREFIX, Metadata, metadata_xml, parse_metadata
from lbkit.machine.libvirt.observe import SeenDomain, see, seen_domains
from lbkit.machine.libvirt.plugging import attach, detach, set_links
from lbkit.machine.libvirt.states import in_words
from lbkit.machine.libvirt.xml.disk import Disk
from lbkit.machine.libvirt.xml.domain import DomainSpec, domain_xml, parse_domain
from lbkit.machine.libvirt.xml.interface import Interface, interface_xml
from tests.libvirtd import daemon, hypervisor
from tests.machine.libvirt.domains import WANTED, a_domain, domains, for_test_driver, from_disk

__all__ = ["daemon", "hypervisor"]

LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE
CONFIG = libvirt.VIR_DOMAIN_AFFECT_CONFIG
ELEMENT = libvirt.VIR_DOMAIN_METADATA_ELEMENT


@pytest.fixture
def model() -> Iterator[Connection]:
    """libvirt's test driver: all domains in memory, gone with the connection."""
    connection = Connection(ResolvedHost("model", "test:///default", "default-pool", "/default-pool"))
    yield connection
    connection.close()


def define(connection: Connection, spec: DomainSpec) -> libvirt.virDomain:
    return connection.raw.defineXMLFlags(for_test_driver(spec), libvirt.VIR_DOMAIN_DEFINE_VALIDATE)


def alike(spec: DomainSpec, back: DomainSpec) -> None:
    """As it was written, but for what libvirt fills in or knows better."""
    assert replace(back, uuid=spec.uuid, machine=spec.machine, accelerator=spec.accelerator) == spec


@pytest.mark.parametrize("spec", [a_domain(), from_disk()])
def test_libvirt_takes_a_domain_by_its_schema_and_gives_it_back(model: Connection, spec: DomainSpec) -> None:
    alike(spec, parse_domain(define(model, spec).XMLDesc()))


@settings(max_examples=20)
@given(domains)
def test_the_schema_accepts_any_domain(spec: DomainSpec) -> None:
    spec = replace(
        spec,
        name=f"x{spec.name}",
        memory=min(spec.memory, spec.max_memory),
        interfaces=tuple({each.mac: each for each in spec.interfaces}.values()),
        channels=tuple({each.name: each for each in spec.channels}.values()),
        disks=tuple(
            Disk(f"/pool/{index}", each.format, each.read_only) for index, each in enumerate(spec.disks)
        ),
    )
    connection = Connection(ResolvedHost("model", "test:///default", "default-pool", "/default-pool"))
    try:
        domain = define(connection, spec)
        try:
            alike(spec, parse_domain(domain.XMLDesc()))
        finally:
            domain.undefine()
    finally:
        connection.close()


def test_all_of_a_topology_are_seen_at_once_and_nothing_else(model: Connection) -> None:
    for spec in (
        a_domain("web", "lb-1", 1),
        a_domain("web", "lb-1", 2),
        a_domain("web", "lb-2", 1),
        a_domain("webshop", "lb-1", 1),
        a_domain("other", "lb-1", 1),
    ):
        define(model, replace(spec, uuid=None)).create()
    assert [each.name for each in seen_domains(model, "web")] == ["web.lb-1.1", "web.lb-1.2", "web.lb-2.1"]
    assert seen_domains(model, "nothing") == ()
    found = seen_domains(model, "web")[1]
    spec = a_domain("web", "lb-1", 2)
    assert spec.metadata is not None
    assert (found.topology, found.member, found.generation) == ("web", "lb-1", 2)
    assert (found.state, found.reason, found.trouble) == ("running", "", "")
    assert (found.wanted, found.digest, found.volumes) == (
        WANTED,
        spec.metadata.digest,
        spec.metadata.volumes,
    )
    assert (found.memory, found.max_memory, found.cpus) == (256, 512, 1)
    assert (found.interfaces, found.channels, found.disks) == (spec.interfaces, spec.channels, spec.disks)


def test_one_on_a_name_of_ours_without_our_mark_is_nobodys(model: Connection) -> None:
    define(model, replace(a_domain(), metadata=None))
    (found,) = seen_domains(model, "web")
    assert (found.topology, found.trouble) == (None, "")


def test_a_copy_of_ours_is_nobodys(model: Connection) -> None:
    define(model, replace(a_domain(), name="web.lb-1.7", uuid=None))
    (found,) = seen_domains(model, "web")
    assert (found.topology, found.trouble) == (None, "its mark is that of web.lb-1.1")


def test_metadata_that_was_tampered_with_is_nobodys(model: Connection) -> None:
    domain = define(model, a_domain())
    xml = metadata_xml(Metadata("web", "lb-1", 1, WANTED)).replace("debian-12-lb@0123", "evil@0123")
    domain.setMetadata(ELEMENT, xml, PREFIX, NAMESPACE, CONFIG)
    (found,) = seen_domains(model, "web")
    assert found.topology is None
    assert "digest" in found.trouble


@pytest.mark.parametrize(
    "wanted", ['{"memory":1e999}', "[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900]
)
def test_metadata_that_json_cannot_say_is_nobodys(wanted: str) -> None:
    xml = domain_xml(a_domain())
    begin, end = xml.index("<lbkit:wanted>") + len("<lbkit:wanted>"), xml.index("</lbkit:wanted>")
    seen = see(a_domain().name, "any", (1, 1), xml[:begin] + wanted + xml[end:])
    assert seen.topology is None
    assert seen.trouble


@pytest.fixture
def two_names(tmp_path: Path) -> Scope:
    """Of one host, and one machine, which is declared on the second."""
    hosts = {"a": {"uri": "test:///default"}, "b": {"uri": "test:///default"}}
    machine = {"driver": "libvirt", "host": "b", "networks": ["front"], "gateway": False}
    document = {
        "lbkit": 1,
        "name": "web",
        "hosts": hosts,
        "networks": {"front": {"cidr": "10.80.0.0/24"}},
        "machines": {"lb": {**machine, "vm": {"image": "any"}}},
    }
    (tmp_path / "web.json").write_text(json.dumps(document))
    return operate.load(tmp_path / "web.json")


@pytest.fixture
def running(two_names: Scope) -> Iterator[str]:
    """Its one domain, which runs: the name."""
    connection = connect(two_names.of("hypervisor", Hypervisors).by_name["b"])
    metadata = Metadata("web", "lb", 1, {"host": "b"})
    domain = define(connection, replace(a_domain(), name=metadata.domain, metadata=metadata))
    domain.create()
    yield metadata.domain
    domain.destroy()
    domain.undefine()
    close_all()  # while anybody is connected, the test driver keeps its domains


def test_a_host_of_two_names_has_each_domain_once(two_names: Scope, running: str, tmp_path: Path) -> None:
    """Else the one and only would be the older one, which goes."""
    [found] = fleet.look(two_names, Host(run_dir=tmp_path)).generations["lb"]
    assert (found.domain.name, found.host.name) == (running, "b")


def test_where_a_host_is_not_seen_one_with_its_links_down_is_left_alone(
    two_names: Scope, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that has its addresses may run there: up with the links of this one, and there are two."""
    hosts, host = two_names.of("hypervisor", Hypervisors).by_name, Host(run_dir=tmp_path)
    up, down = (Interface("02:00:00:00:00:01", "web.front", "lb0", link_up=each) for each in (True, False))
    one = SeenDomain("web.lb.1", "1", "running", "", topology="web", member="lb", generation=1)
    unseen = {"a": Unreachable("libvirt was to be reached", found="no answer")}
    for runs in ("running", "shut off"):  # dead, it is defined as it was
        for interfaces, alone in (((up,), False), ((down,), True), ((up, down), False), ((), False)):
            seen = fleet.Generation(replace(one, state=runs, interfaces=interfaces), hosts["b"])
            for away, expected in ((unseen, alone), ({}, False)):
                found = fleet.Fleet({"lb": (seen,)}, unseen=away)
                monkeypatch.setattr(fleet, "_last", {("web", tmp_path): found})
                assert (list(fleet.left_alone(two_names, host)) == ["lb"]) == expected, (interfaces, away)


@pytest.mark.parametrize(
    "told", [None, 7, [None], [{}], [{"name": ["x"]}], [{"name": "../x"}], [{"name": "x\x1b[2J"}]]
)
def test_a_guest_that_tells_nonsense_of_its_programs_does_not_answer(
    two_names: Scope, running: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: object
) -> None:
    """It is replaced, and stands in nobody's way: a plan without it could not be made."""
    rest = {"kind": "service", "program": None, "pid": 1, "start_time": 1, "started": "", "trouble": ""}
    answers = (
        {"processes": [{**rest, **each} if each else each for each in told]} if isinstance(told, list) else {}
    )
    monkeypatch.setattr(fleet, "greet", lambda _line: (Hello("x", identity="y"), {}))
    monkeypatch.setattr(Line, "call", lambda _line, method, *_, **__: (answers.get(method, told), b""))
    [found] = fleet.look(two_names, Host(run_dir=tmp_path)).generations["lb"]
    assert found.domain.name == running
    assert found.hello is None
    assert "no meaning" in found.silence


def test_what_is_wanted_is_noted_on_a_domain_that_runs(model: Connection) -> None:
    domain = define(model, a_domain())
    domain.create()
    noted = Metadata(
        "web", "lb-1", 1, {**WANTED, "cpus": 2, "odd": "é<&>'\"\x7f\n"}, ("web.lb-1.1.disk.qcow2",)
    )
    domain.setMetadata(ELEMENT, metadata_xml(noted), PREFIX, NAMESPACE, LIVE | CONFIG)
    assert parse_metadata(domain.metadata(ELEMENT, NAMESPACE)) == noted
    (found,) = seen_domains(model, "web")
    assert (found.wanted, found.volumes) == (noted.wanted, noted.volumes)


def test_memory_changes_while_it_runs(model: Connection) -> None:
    domain = define(model, a_domain())
    domain.create()
    for mib in (512, 128):
        domain.setMemoryFlags(mib << 10, LIVE)
        (found,) = seen_domains(model, "web")
        assert (found.memory, found.max_memory) == (mib, 512)


def test_the_life_of_a_domain_is_told_in_words(model: Connection) -> None:
    domain = define(model, a_domain())

    def life() -> tuple[str, str]:
        (found,) = seen_domains(model, "web")
        return found.state, found.reason

    assert life()[0] == "shut off"
    domain.create()
    assert life() == ("running", "")
    domain.suspend()
    assert life() == ("paused", "by somebody")
    domain.resume()
    domain.destroy()
    assert life() == ("shut off", "somebody ended it")


def test_every_state_and_reason_of_libvirt_has_its_word() -> None:
    """The numbers are libvirt's own names for them."""
    names = {
        name: getattr(libvirt, name)
        for name in dir(libvirt)
        if name.startswith(("VIR_DOMAIN_PAUSED_", "VIR_DOMAIN_SHUTOFF_"))
        and not name.endswith(("LAST", "UNKNOWN"))
    }
    for name, number in names.items():
        state = 3 if "PAUSED" in name else 5
        assert in_words(state, number)[1], name
    assert in_words(libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED) == ("running", "")
    assert (
        in_words(libvirt.VIR_DOMAIN_CRASHED, libvirt.VIR_DOMAIN_CRASHED_PANICKED)[1] == "its kernel panicked"
    )
    assert in_words(99, 99) == ("in state 99", "")


@given(st.text(max_size=60), st.integers(0, 20), st.integers(0, 20))
def test_seeing_never_fails(xml: str, state: int, reason: int) -> None:
    for text in (xml, f"<domain>{xml}</domain>", f"<domain><metadata>{xml}</metadata></domain>"):
        assert see("web.lb-1.1", "", (state, reason), text).topology is None


@pytest.mark.sandbox
def test_qemu_takes_it_and_changes_it_while_it_runs(
    daemon: Daemon, hypervisor: ResolvedHost, host: Host
) -> None:
    """Defined by schema, started before its first instruction, plugged into bridges, changed, and ended."""
    for bridge in ("web.front", "web.back"):
        subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], check=True)
    folder = host.run_dir / "guest"
    folder.mkdir()
    spec = in_folder(folder)
    domain = connect(hypervisor).raw.defineXMLFlags(domain_xml(spec), libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    back = parse_domain(domain.XMLDesc())
    assert back.machine.startswith("pc-i440fx-")
    assert replace(back, machine="pc") == spec

    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    (found,) = seen_domains(connect(hypervisor), "web")
    assert found.interfaces == spec.interfaces
    assert (found.state, found.memory) == ("paused", 512)  # a guest has all until it has given some back
    assert all(
        Path(each.socket).is_socket() for each in found.channels if each.socket and "lbkit" in each.name
    )
    ports = subprocess.run(
        ["ip", "-json", "link", "show", "master", "web.front"], check=True, capture_output=True
    )
    assert [port["ifname"] for port in json.loads(ports.stdout)] == [spec.interfaces[0].target]

    up = replace(spec.interfaces[0], link_up=True)
    new = Interface("02:00:00:00:00:09", "web.back", "lb0000000009", 1400, link_up=False)
    strange = Interface("52:54:00:00:00:01", "web.back", "somebodys")
    domain.attachDeviceFlags(interface_xml(strange), LIVE)
    for _ in range(2):  # a second time changes nothing
        set_links(domain, {up.mac}, up=True)
        attach(domain, new)
        (found,) = seen_domains(connect(hypervisor), "web")
        assert found.interfaces == (up, spec.interfaces[1], strange, new)

    domain.destroy()
    (found,) = seen_domains(connect(hypervisor), "web")
    assert (found.state, found.reason) == ("shut off", "somebody ended it")
    # what was changed while it ran is what is defined
    assert found.interfaces == (up, spec.interfaces[1], new)
    for _ in range(2):
        detach(domain, new.mac)
        (found,) = seen_domains(connect(hypervisor), "web")
        assert found.interfaces == (up, spec.interfaces[1])
    domain.undefine()
    assert seen_domains(connect(hypervisor), "web") == ()


def in_folder(folder: Path) -> DomainSpec:
    """The domain with files that are there; they need not be what a guest could boot."""
    spec = a_domain()
    (folder / "seed").write_bytes(b"\0" * 65536)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", folder / "disk", "1M"], check=True)
    return replace(
        spec,
        kernel=None,
        initrd=None,
        cmdline="",
        disks=(
            replace(spec.disks[0], path=str(folder / "disk")),
            replace(spec.disks[1], path=str(folder / "seed")),
        ),
        channels=tuple(
            replace(each, socket=each.socket and str(folder / each.name[-1])) for each in spec.channels
        ),
        serial_log=str(folder / "console.log"),
    )


@pytest.mark.sandbox
def test_images_that_domains_stand_on_are_known(hypervisor: ResolvedHost) -> None:
    with connect(hypervisor).doing("a domain was to be defined") as raw:
        raw.defineXML(domain_xml(a_domain()))
        foreign = replace(a_domain("web", "lb-2"), metadata=None, uuid=None)
        raw.defineXML(domain_xml(foreign))
    assert images_used(hypervisor) == {"debian-12-lb@0123": ["web.lb-1.1"]}
