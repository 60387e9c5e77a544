"""Domains to write and read: one by hand, and any by chance."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from lbkit.machine.libvirt.metadata import Metadata
from lbkit.machine.libvirt.names import domain_name
from lbkit.machine.libvirt.xml.channel import GUEST_AGENT, LBKIT, Channel
from lbkit.machine.libvirt.xml.disk import Disk
from lbkit.machine.libvirt.xml.domain import DomainSpec, domain_xml
from lbkit.machine.libvirt.xml.interface import Interface

WANTED = {"driver": "libvirt", "cpus": 1, "image": "debian-12-lb@0123", "routes": ["0.0.0.0/0 via 10.0.0.1"]}


def a_domain(topology: str = "web", member: str = "lb-1", generation: int = 1) -> DomainSpec:
    name = domain_name(topology, member, generation)
    volumes = (f"{name}.disk.qcow2", f"{name}.seed.iso")
    return DomainSpec(
        name=name,
        memory=256,
        max_memory=512,
        cpus=1,
        accelerator="tcg",
        metadata=Metadata(topology, member, generation, WANTED, volumes),
        uuid="11111111-2222-4333-8444-555555555555",
        title=f"{member} of {topology}, by lbkit",
        kernel="/pool/vmlinuz",
        initrd="/pool/initrd",
        cmdline="console=ttyS0 quiet root=/dev/vda",
        disks=(
            Disk(f"/pool/{volumes[0]}"),
            Disk(f"/pool/{volumes[1]}", "raw", read_only=True, serial="lbkit-seed"),
        ),
        interfaces=(
            Interface("02:00:00:00:00:01", "web.front", "lb0000000001", 1500, link_up=False),
            Interface("02:00:00:00:00:02", "web.back", "lb0000000002"),
        ),
        channels=(Channel(GUEST_AGENT), *(Channel(name, f"/run/lbkit/vm/{name}") for name in LBKIT)),
        serial_log="/run/lbkit/vm/console.log",
    )


def from_disk() -> DomainSpec:
    """One of a foreign image: it boots from its own disk, and KVM works."""
    spec = a_domain()
    return replace(
        spec,
        accelerator="kvm",
        machine="q35",
        kernel=None,
        initrd=None,
        cmdline="",
        serial_log=None,
        uuid=None,
    )


def for_test_driver(spec: DomainSpec) -> str:
    """libvirt's test driver has domains of one type alone."""
    xml = domain_xml(replace(spec, machine="pc"))
    for kind in ("qemu", "kvm"):
        xml = xml.replace(f'<domain type="{kind}"', '<domain type="test"')
    return xml.replace('arch="x86_64" ', 'arch="i686" ').replace(f'type="{spec.accelerator}"', 'type="test"')


printable = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFFFD, blacklist_categories=("Cc", "Cs", "Cn")),
    max_size=30,
).map(str.strip)
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
paths = st.from_regex(r"(/[A-Za-z0-9 &<>'\"._-]{1,8}){1,4}", fullmatch=True).filter(
    lambda path: path == path.strip()
)
links = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,14}", fullmatch=True)
macs = st.binary(min_size=6, max_size=6).map(lambda raw: bytes([raw[0] & 0xFC | 2, *raw[1:]]).hex(":"))
sizes = st.integers(1, 1 << 20)
json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
metadata = st.builds(
    Metadata,
    labels,
    labels,
    st.integers(1, 999_999_999),
    st.dictionaries(st.text(max_size=5), json_data, max_size=4),
    st.lists(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True), max_size=4).map(tuple),
)
disks = st.builds(
    Disk,
    paths,
    st.sampled_from(["qcow2", "raw"]),
    st.booleans(),
    st.from_regex(r"[A-Za-z0-9_-]{0,20}", fullmatch=True),
)
interfaces = st.builds(Interface, macs, links, links, st.none() | st.integers(68, 65535), st.booleans())
channels = st.builds(Channel, st.from_regex(r"[a-z0-9._-]{1,30}", fullmatch=True), st.none() | paths)
domains = st.builds(
    DomainSpec,
    name=labels,
    memory=sizes,
    max_memory=sizes,
    cpus=st.integers(1, 255),
    accelerator=st.sampled_from(["kvm", "tcg"]),
    metadata=st.none() | metadata,
    uuid=st.none() | st.uuids().map(str),
    title=printable,
    machine=st.sampled_from(["pc", "q35", "pc-i440fx-7.2"]),
    kernel=st.none() | paths,
    initrd=st.none() | paths,
    cmdline=printable,
    disks=st.lists(disks, max_size=3).map(tuple),
    interfaces=st.lists(interfaces, max_size=3).map(tuple),
    channels=st.lists(channels, max_size=3).map(tuple),
    serial_log=st.none() | paths,
).map(lambda spec: spec if spec.kernel else replace(spec, initrd=None, cmdline=""))
