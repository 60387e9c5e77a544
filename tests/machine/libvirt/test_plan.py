"""What a difference between a virtual machine and its declaration means: pure, so every combination is tried."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lbkit.base.secrets import Secret
from lbkit.engine.change import Action, Impact, plain
from lbkit.machine.libvirt.metadata import Metadata, digest_of, metadata_xml, parse_metadata
from lbkit.machine.libvirt.observe import SeenDomain
from lbkit.machine.libvirt.plan import (
    MIB,
    Attach,
    Await,
    Detach,
    Renew,
    SetMemory,
    State,
    Tell,
    judge,
    live,
    seen,
    wanted,
)
from lbkit.machine.libvirt.states import in_words
from lbkit.machine.libvirt.xml import interface as xml
from lbkit.machine.resolved import Interface, ResolvedMachine, ResolvedVm, Route

HOST = "local"
NETWORKS = {"front": "02:00:00:00:00:01", "back": "02:00:00:00:00:02", "store": "02:00:00:00:00:03"}

vms = st.builds(
    ResolvedVm,
    image=st.just("debian-12-lb"),
    memory=st.sampled_from([256 * MIB, 256 * MIB + 1, 512 * MIB]),
    max_memory=st.sampled_from([512 * MIB, 1024 * MIB]),
    cpus=st.sampled_from([1, 2]),
    disk=st.sampled_from([None, 8 << 30]),
    accelerator=st.just("auto"),
    ssh_keys=st.sampled_from([(), ("ssh-ed25519 AAAA a",)]),
    user_data=st.sampled_from([None, b"#cloud-config\n", Secret(b"#cloud-config\n")]),
    keep_disk=st.booleans(),
    warm_pool=st.just(0),
)


@st.composite
def machines(draw: st.DrawFn) -> ResolvedMachine:
    interfaces = tuple(
        Interface(
            name,
            draw(st.sampled_from([f"web.{name}", "br0"])),
            f"lb{name}",
            NETWORKS[name].upper(),
            tuple(
                ip_interface(each)
                for each in draw(
                    st.lists(st.sampled_from(["10.0.0.1/24", "10.0.0.2/24", "fd00::1/64"]), unique=True)
                )
            ),
            draw(st.sampled_from([1500, 9000])),
        )
        for name in draw(st.lists(st.sampled_from(sorted(NETWORKS)), unique=True))
    )
    routes = draw(st.sampled_from([(), (Route(ip_network("0.0.0.0/0"), ip_address("10.0.0.254")),)]))
    return ResolvedMachine("lb-1", "lb", "libvirt", interfaces, routes, vm=draw(vms), host=HOST)


def want_of(machine: ResolvedMachine, image: str = "debian-12-lb@01", accelerator: str = "tcg") -> State:
    assert machine.vm is not None
    return wanted(machine, machine.vm, HOST, image, accelerator)


def made(want: State, generation: int = 1) -> SeenDomain:
    """As it stands right after it was made so."""
    return SeenDomain(
        f"web.lb-1.{generation}",
        "11111111-2222-4333-8444-555555555555",
        *in_words(1, 1),
        topology="web",
        member="lb-1",
        generation=generation,
        digest=digest_of(want),
        wanted=want,
        memory=want["memory"],
        max_memory=want["max_memory"],
        cpus=want["cpus"],
        accelerator=want["accelerator"],
        interfaces=tuple(
            xml.Interface(each["mac"], each["bridge"], f"lb{name}", each["mtu"])
            for name, each in want["interfaces"].items()
        ),
    )


def changed(domain: SeenDomain, want: State, steps: tuple[Any, ...], *, noted: bool = True) -> SeenDomain:
    """A model of what the steps do to a domain. `noted`: its metadata was written at the end."""
    for step in steps:
        match step:
            case Detach():
                assert step.mac in {each.mac for each in domain.interfaces}
                domain = replace(
                    domain, interfaces=tuple(each for each in domain.interfaces if each.mac != step.mac)
                )
            case Attach():
                each = want["interfaces"][step.network]
                assert each["mac"] not in {other.mac for other in domain.interfaces}
                new = xml.Interface(each["mac"], each["bridge"], f"lb{step.network}", each["mtu"])
                domain = replace(domain, interfaces=(*domain.interfaces, new))
            case SetMemory():
                assert step.mib <= domain.max_memory
                domain = replace(domain, memory=step.mib)
            case Await() | Renew() | Tell():
                pass
    return replace(domain, wanted=want) if noted else domain


@given(machine=machines(), answers=st.sampled_from([None, True]))
def test_what_was_made_is_as_wanted(machine: ResolvedMachine, *, answers: bool | None) -> None:
    want = want_of(machine)
    assert judge(want, seen(made(want), want, HOST, answers=answers)) is None


@given(machines())
def test_what_is_noted_on_a_domain_is_read_from_it(machine: ResolvedMachine) -> None:
    want = want_of(machine)
    assert plain(want) == want
    back = parse_metadata(metadata_xml(Metadata("web", "lb-1", 1, want))).wanted
    assert judge(want, seen(replace(made(want), wanted=back), want, HOST)) is None


@given(machines(), machines(), st.integers(0, 9))
def test_after_its_changes_nothing_differs_wherever_they_were_cut(
    before: ResolvedMachine, after: ResolvedMachine, cut: int
) -> None:
    """Killed between two steps: the next plan goes on from there."""
    domain, want = made(want_of(before)), want_of(after)
    verdict = judge(want, seen(domain, want, HOST))
    if verdict is None or verdict.action is Action.REPLACE:
        return
    assert verdict.action is Action.UPDATE
    steps = live(want, seen(domain, want, HOST))
    assert len(verdict.steps) == len(steps) + 1
    half = changed(domain, want, steps[:cut], noted=False)
    whole = changed(half, want, live(want, seen(half, want, HOST)))
    assert judge(want, seen(whole, want, HOST)) is None


@given(machines(), machines())
def test_a_new_one_takes_the_place_of_what_cannot_be_changed(
    before: ResolvedMachine, after: ResolvedMachine
) -> None:
    assume(before.vm is not None and after.vm is not None)
    old, want = want_of(before), want_of(after)
    fixed = ("cpus", "max_memory", "disk", "user_data")
    verdict = judge(want, seen(made(old), want, HOST))
    if any(old[field] != want[field] for field in fixed):
        assert verdict is not None
        assert (verdict.action, verdict.impact) == (Action.REPLACE, Impact.HITLESS)
        assert all(field in verdict.reason for field in fixed if old[field] != want[field])
        assert judge(want, seen(made(want, 2), want, HOST)) is None
    else:
        assert verdict is None or verdict.action is Action.UPDATE


@given(machines(), st.integers(2, 7), st.integers(0, 14))
def test_what_does_not_run_is_replaced_and_costs_nobody_anything(
    machine: ResolvedMachine, state: int, reason: int
) -> None:
    assume(state != 2)
    want = want_of(machine)
    words = in_words(state, reason)
    verdict = judge(want, seen(replace(made(want), state=words[0], reason=words[1]), want, HOST))
    assert verdict is not None
    assert (verdict.action, verdict.impact) == (Action.REPLACE, Impact.NONE)
    assert words[0] in verdict.reason
    assert words[1] in verdict.reason


def a_machine(*interfaces: Interface, **vm: Any) -> ResolvedMachine:
    base = ResolvedVm(
        "debian-12-lb", 256 * MIB, 512 * MIB, 1, None, "auto", (), None, keep_disk=False, warm_pool=0
    )
    return ResolvedMachine("lb-1", "lb", "libvirt", interfaces, vm=replace(base, **vm), host=HOST)


def front(*addresses: str, bridge: str = "web.front") -> Interface:
    return Interface("front", bridge, "lb0", NETWORKS["front"], tuple(map(ip_interface, addresses)), 1500)


BACK = Interface("back", "web.back", "lb1", NETWORKS["back"], (), 1500)
PLAIN = a_machine(front("10.0.0.1/24"))


@pytest.mark.parametrize(
    ("after", "impact", "reason", "first"),
    [
        (
            a_machine(front("10.0.0.1/24"), memory=384 * MIB),
            Impact.HITLESS,
            "memory is 256 MiB, declared is 384 MiB",
            "set its memory to 384 MiB",
        ),
        (
            a_machine(front("10.0.0.1/24"), BACK),
            Impact.NONE,
            "interface back missing",
            "attach an interface on back (web.back)",
        ),
        (a_machine(), Impact.DISRUPTIVE, "interface front goes", "detach the interface on front"),
        (
            a_machine(front("10.0.0.1/24", bridge="br0")),
            Impact.DISRUPTIVE,
            "bridge of interface front not as declared",
            "detach the interface on front",
        ),
        (
            a_machine(front("10.0.0.1/24", "10.0.0.2/24")),
            Impact.NONE,
            "of the addresses on front 10.0.0.2/24 comes",
            "tell its guest its links, addresses, routes and keys",
        ),
        (
            a_machine(front("10.0.0.2/24")),
            Impact.DISRUPTIVE,
            "of the addresses on front 10.0.0.1/24 goes and 10.0.0.2/24 comes",
            "tell its guest its links, addresses, routes and keys",
        ),
        (
            a_machine(front("10.0.0.1/24"), ssh_keys=("ssh-ed25519 AAAA a",)),
            Impact.NONE,
            "ssh_keys changed",
            "tell its guest its links, addresses, routes and keys",
        ),
    ],
)
def test_what_changes_while_it_runs(after: ResolvedMachine, impact: Impact, reason: str, first: str) -> None:
    want = want_of(after)
    verdict = judge(want, seen(made(want_of(PLAIN)), want, HOST))
    assert verdict is not None
    assert (verdict.action, verdict.impact, verdict.reason, verdict.steps[0]) == (
        Action.UPDATE,
        impact,
        reason,
        first,
    )


def test_a_guest_with_the_program_of_another_lbkit_gets_this_ones_first() -> None:
    after = a_machine(front("10.0.0.1/24"), BACK)
    assert after.vm is not None
    want = wanted(after, after.vm, HOST, "debian-12-lb@01", "tcg", "new")
    found = seen(made(want_of(PLAIN)), want, HOST, answers=True, program="old")
    assert live(want, found) == (Renew(), Attach("back"), Tell())
    assert not live(want, seen(made(want), want, HOST, answers=True, program="new"))


def test_what_takes_a_new_one_says_why() -> None:
    before = made(want_of(PLAIN))

    def verdict(want: State, **more: Any) -> tuple[Impact, str]:
        judged = judge(want, seen(before, want, more.pop("host", HOST), **more))
        assert judged is not None
        assert judged.action is Action.REPLACE
        return judged.impact, judged.reason.removesuffix(": a new one takes its place")

    assert verdict(want_of(PLAIN, image="debian-12-lb@02")) == (
        Impact.HITLESS,
        "image is debian-12-lb@01, declared is debian-12-lb@02",
    )
    assert verdict(want_of(PLAIN, accelerator="kvm")) == (
        Impact.HITLESS,
        "accelerator is tcg, declared is kvm",
    )
    assert verdict(want_of(PLAIN), host="other") == (Impact.HITLESS, "host is other, declared is local")
    assert verdict(want_of(a_machine(front("10.0.0.1/24"), disk=8 << 30))) == (
        Impact.HITLESS,
        "disk is as the image's, declared is 8589934592 bytes",
    )
    assert verdict(want_of(PLAIN), answers=False) == (Impact.DISRUPTIVE, "its guest does not answer")
    gone = replace(before, state="shut off", reason="its QEMU died, or its kernel panicked")
    judged = judge(want_of(PLAIN), seen(gone, want_of(PLAIN), HOST))
    assert judged is not None
    assert judged.reason.startswith("it does not run (shut off: its QEMU died, or its kernel panicked)")


def test_what_auto_once_chose_stays() -> None:
    want = want_of(PLAIN, accelerator="auto")
    for found in ("tcg", "kvm"):
        assert judge(want, seen(replace(made(want), accelerator=found), want, HOST)) is None


def test_what_the_guest_says_is_set_counts_more_than_what_it_was_told() -> None:
    want = want_of(a_machine(front("10.0.0.1/24", "10.0.0.2/24")))
    inside = {"interfaces": {"front": {"addresses": ["10.0.0.1/24"]}}, "routes": []}
    verdict = judge(want, seen(made(want), want, HOST, answers=True, inside=inside))
    assert verdict is not None
    assert (verdict.action, verdict.reason) == (Action.UPDATE, "of the addresses on front 10.0.0.2/24 comes")
    assert live(want, seen(made(want), want, HOST, answers=True, inside=inside)) == (Tell(),)


def test_a_secret_is_never_in_a_state() -> None:
    want = want_of(a_machine(user_data=Secret(b"#cloud-config\npassword: xyzzy\n")))
    assert "xyzzy" not in repr(want)
    assert "xyzzy" not in metadata_xml(Metadata("web", "lb-1", 1, want))


def test_who_reads_a_domain_cannot_try_guesses_of_its_user_data_at_once() -> None:
    """Whoever may read libvirt reads metadata, on most hosts anybody."""
    secret = Secret(b"#cloud-config\npassword: xyzzy\n")
    want = want_of(a_machine(user_data=secret))
    assert secret.digest not in repr(want)
    same = want_of(a_machine(user_data=secret.reveal()))
    assert same["user_data"] == want["user_data"]
    other_group = replace(a_machine(user_data=secret), group="web")
    assert want_of(other_group)["user_data"] != want["user_data"], "a table serves for one group"
    told = {**want, "user_data": "scrypt:lb:0"}
    assert judge(want, seen(replace(made(want), wanted=told), want, HOST)) is not None


def test_a_machine_of_an_lbkit_that_noted_the_plain_digest_stays() -> None:
    secret = Secret(b"#cloud-config\n")
    want = want_of(a_machine(user_data=secret))
    before = {**want, "user_data": secret.digest}
    assert judge(want, seen(replace(made(want), wanted=before), want, HOST)) is None
    other = want_of(a_machine(user_data=Secret(b"#cloud-config\nx: 1\n")))
    verdict = judge(other, seen(replace(made(want), wanted=before), other, HOST))
    assert verdict is not None
    assert "user_data changed" in verdict.reason


def test_interfaces_of_somebody_elses_are_left_alone() -> None:
    want = want_of(PLAIN)
    domain = made(want)
    strange = xml.Interface("52:54:00:00:00:01", "virbr0", "tap9")
    domain = replace(domain, interfaces=(*domain.interfaces, strange))
    assert judge(want, seen(domain, want, HOST)) is None


@given(
    st.dictionaries(
        st.sampled_from(["interfaces", "routes", "ssh_keys", "image", "x"]),
        st.recursive(
            st.none() | st.text(max_size=3) | st.just(NETWORKS["front"]),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(["front", "mac", "addresses"]), inner, max_size=3)
            ),
            max_leaves=6,
        ),
    )
)
def test_metadata_of_any_shape_is_a_difference_and_no_more(told: dict[str, Any]) -> None:
    want = want_of(PLAIN)
    verdict = judge(want, seen(replace(made(want), wanted=told), want, HOST))
    assert verdict is not None
