"""Domains as XML and back: what is written, and that nobody's XML harms who reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbkit.base.errors import Mistake
from lbkit.machine.libvirt.metadata import (
    MOST_JSON,
    NAMESPACE,
    Metadata,
    digest_of,
    metadata_xml,
    parse_metadata,
)
from lbkit.machine.libvirt.xml.channel import Channel
from lbkit.machine.libvirt.xml.disk import Disk
from lbkit.machine.libvirt.xml.domain import DomainSpec, domain_xml, parse_domain
from lbkit.machine.libvirt.xml.element import Unreadable, element
from lbkit.machine.libvirt.xml.interface import Interface, interface_xml, parse_interface
from tests.machine.libvirt.domains import a_domain, domains, from_disk, interfaces, metadata

GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize(("file", "made"), [("direct-boot.xml", a_domain), ("from-disk.xml", from_disk)])
def test_a_domain_is_written_so(file: str, made: Callable[[], DomainSpec]) -> None:
    assert domain_xml(made()) == (GOLDEN / file).read_text()


def test_an_interface_is_written_so() -> None:
    assert interface_xml(a_domain().interfaces[0]) == (GOLDEN / "interface.xml").read_text()


@settings(max_examples=40)
@given(domains)
def test_what_is_written_is_read_back(spec: DomainSpec) -> None:
    assert parse_domain(domain_xml(spec)) == spec


@given(interfaces)
def test_an_interface_is_read_back(interface: Interface) -> None:
    assert parse_interface(interface_xml(interface)) == interface


@given(metadata)
def test_metadata_is_read_back(each: Metadata) -> None:
    assert parse_metadata(metadata_xml(each)) == each


@given(st.characters(categories=["Cc", "Cs"]))
def test_no_control_character_gets_into_xml(character: str) -> None:
    for spec in (
        replace(a_domain(), title=f"a{character}b"),
        replace(a_domain(), kernel=f"/a{character}b"),
        replace(a_domain(), cmdline=f"a{character}b"),
        replace(a_domain(), disks=(Disk(f"/a{character}"),)),
        replace(a_domain(), channels=(Channel("org.lbkit.0", f"/a{character}"),)),
        replace(a_domain(), serial_log=f"/a{character}"),
    ):
        with pytest.raises(Mistake, match="control characters"):
            domain_xml(spec)


@pytest.mark.parametrize(
    "spec",
    [
        replace(a_domain(), name="web lb"),
        replace(a_domain(), name="web.lb\n"),
        replace(a_domain(), name="../web"),
        replace(a_domain(), uuid="1"),
        replace(a_domain(), machine="pc,accel=x"),
        replace(a_domain(), accelerator="xen"),
        replace(a_domain(), kernel="vmlinuz"),
        replace(a_domain(), disks=(Disk("/a", serial="x" * 21),)),
        replace(a_domain(), disks=(Disk("/a", "luks"),)),  # type: ignore[arg-type]
        replace(a_domain(), interfaces=(Interface("02:00:00:00:00:01", "br 0", "lb0"),)),
        replace(a_domain(), interfaces=(Interface("02:00:00:00:00:01", "br0", "longer-than-15-by"),)),
        replace(a_domain(), interfaces=(Interface("02-00-00-00-00-01", "br0", "lb0"),)),
        replace(a_domain(), channels=(Channel("org.lbkit 0"),)),
        replace(a_domain(), metadata=Metadata("web", "lb-1", 1, {}, ("../etc",))),
    ],
)
def test_names_that_could_mean_something_else_are_refused(spec: DomainSpec) -> None:
    with pytest.raises(Mistake):
        domain_xml(spec)


@given(st.text("<>&\"' x]-!", min_size=1, max_size=40))
def test_no_text_becomes_markup(text: str) -> None:
    plain, odd = (
        ET.fromstring(domain_xml(replace(a_domain(), title=each, cmdline=each))) for each in ("x", text)
    )
    assert [each.tag for each in odd.iter()] == [each.tag for each in plain.iter()]


@given(
    st.recursive(
        st.builds(
            element,
            st.sampled_from(
                [
                    "memory",
                    "vcpu",
                    "os",
                    "devices",
                    "disk",
                    "interface",
                    "metadata",
                    "source",
                    "mac",
                    "channel",
                    "x",
                ]
            ),
            st.from_regex("[a-z0-9 -]{0,5}", fullmatch=True),
            type_=st.sampled_from([None, "bridge", "unix", "virtio", "kvm"]),
            file=st.sampled_from([None, "", "/a"]),
            bridge=st.sampled_from([None, "br0"]),
            unit=st.sampled_from([None, "KiB", "parsec"]),
            size=st.sampled_from([None, "-1", "9" * 40]),
        ),
        lambda inner: st.builds(
            lambda tag, children: element(tag, *children),
            st.sampled_from(["domain", "devices", "interface", "disk", "channel", "metadata", "os"]),
            st.lists(inner, max_size=4),
        ),
        max_leaves=12,
    )
)
def test_anybodys_domain_can_be_read(body: ET.Element) -> None:
    root = body if body.tag == "domain" else element("domain", body)
    parse_domain(ET.tostring(root, encoding="unicode"))


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_what_is_no_domain_is_only_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parse_domain(text)


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE domain [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><domain><name>&b;</name></domain>',
        '<!DOCTYPE domain [<!ENTITY a SYSTEM "file:///etc/passwd">]><domain><name>&a;</name></domain>',
        "<domain>" + "x" * (4 << 20) + "</domain>",
        "<network/>",
        "<domain>",
        "<domain>\0</domain>",
        "<domain>&#0;</domain>",
        "",
    ],
)
def test_what_is_made_to_harm_is_not_read(xml: str) -> None:
    with pytest.raises(Unreadable):
        parse_domain(xml)


def machine(**attributes: str) -> str:
    """As libvirt gives it: the namespace is off."""
    inner = attributes.pop("inner", "<wanted>{}</wanted>")
    words = {"owner": "lbkit:web:machine/lb-1", "generation": "1", "digest": digest_of({}), **attributes}
    said = " ".join(f'{name}="{value}"' for name, value in words.items())
    return f"<machine {said}>{inner}</machine>"


def test_metadata_is_believed_in_whole_or_not_at_all() -> None:
    assert parse_metadata(machine()) == Metadata("web", "lb-1", 1, {})
    deep = "[" * 100_000
    for xml in (
        machine(owner=""),
        machine(owner="lbkit:web:network/front"),
        machine(owner="lbkit:web:machine/lb-1/front"),
        machine(owner="lbkit:web:machine/../x"),
        machine(generation="0"),
        machine(generation="-1"),
        machine(generation="1" * 40),
        machine(generation="\u0661"),
        machine(digest="0" * 16),
        machine(inner=""),
        machine(inner="<wanted>[]</wanted>"),
        machine(inner="<wanted>NaN</wanted>"),
        machine(inner=f"<wanted>{deep}</wanted>"),
        machine(inner="<wanted>{}</wanted>" + '<volume name="../../etc/passwd"/>'),
        machine(inner="<wanted>{}</wanted>" + '<volume name="a"/>' * 17),
        machine(inner=f"<wanted>{' ' * MOST_JSON}{{}}</wanted>"),
        machine().replace("<machine", '<machine xmlns="urn:other"'),
    ):
        with pytest.raises(Unreadable):
            parse_metadata(xml)


def test_metadata_twice_is_none() -> None:
    once = machine().replace("<machine", f'<machine xmlns="{NAMESPACE}"')
    assert parse_domain(f"<domain><metadata>{once}</metadata></domain>").metadata == parse_metadata(machine())
    assert parse_domain(f"<domain><metadata>{machine()}</metadata></domain>").metadata is None
    with pytest.raises(Unreadable, match="twice"):
        parse_domain(f"<domain><metadata>{once}{once}</metadata></domain>")


@pytest.mark.parametrize(
    ("unit", "number", "mib"),
    [
        ("KiB", 1024, 1),
        ("KiB", 1025, 2),
        ("MiB", 3, 3),
        ("GiB", 1, 1024),
        ("b", 1 << 20, 1),
        ("parsec", 3, 0),
    ],
)
def test_memory_is_read_in_any_unit(unit: str, number: int, mib: int) -> None:
    spec = parse_domain(f'<domain><memory unit="{unit}">{number}</memory></domain>')
    assert (spec.max_memory, spec.memory) == (mib, mib)
