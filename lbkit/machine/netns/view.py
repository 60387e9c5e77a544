"""What the driver tells people: evidence on one machine, and whether this host can have such machines."""

from __future__ import annotations

import os
from collections.abc import Iterable

from lbkit.base.host import Host
from lbkit.engine.view import Check, Finding
from lbkit.machine.local.proc import read_stat
from lbkit.machine.netns.plan import state_seen, state_wanted, wanted
from lbkit.machine.resolved import ResolvedMachine
from lbkit.network.links import SeenNamespace


def findings(topology: str, machine: ResolvedMachine, seen: SeenNamespace | None) -> Iterable[Finding]:
    want = wanted(topology, machine)
    if seen is None or not seen.whole:
        yield Finding(False, f"namespace {want.name} does not stand", "`lbkit apply` makes it")
        return
    if seen.mark != want.mark:
        yield Finding(
            False, f"namespace {want.name} was not made by lbkit", seen.mark or "it bears no owner mark"
        )
        return
    yield Finding(True, f"namespace {want.name} stands", f"ip netns exec {want.name} ip address")
    have = state_seen(topology, seen)
    interfaces = have["interfaces"]
    for name, interface in state_wanted(want)["interfaces"].items():
        found = interfaces.get(name)
        if found is None:
            yield Finding(
                False, f"interface {name} is missing", f"wanted: {', '.join(interface['addresses'])}"
            )
            continue
        wrong = [f"{key} is {found[key]}" for key in interface if found[key] != interface[key]]
        yield Finding(
            not wrong,
            f"interface {name} {'is not as declared' if wrong else 'is up'}",
            "; ".join(wrong) or ", ".join(interface["addresses"]) + f", port of {interface['bridge']}",
        )
    missing = sorted(set(state_wanted(want)["routes"]) - set(have["routes"]))
    if missing:
        yield Finding(False, "routes are missing", ", ".join(missing))


def checks(host: Host) -> Iterable[Check]:
    yield _namespaces()
    yield _pidfd()
    yield _proc()
    yield Check(
        "users of services",
        host.can_switch_user,
        "services run as the users they name" if host.can_switch_user else "services run as lbkit's own user",
        "" if host.can_switch_user else "run as root, where more ids than 0 are mapped",
        needed=False,
    )


def _namespaces() -> Check:
    from lbkit.base import syscalls  # noqa: PLC0415 - ctypes, only where asked

    try:
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            syscalls.setns(home, syscalls.CLONE_NEWNET)  # to where we are: needs the right, changes nothing
        finally:
            os.close(home)
    except OSError as error:
        return Check(
            "enter network namespaces",
            False,
            error.strerror or str(error),
            "run as root, or in a sandbox: `lbkit sandbox -- ...`",
        )
    return Check("enter network namespaces", True, "setns works")


def _pidfd() -> Check:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        return Check(
            "processes by descriptor",
            False,
            f"pidfd_open: {error.strerror}",
            "Linux 5.3 or newer is needed; in a container, a seccomp profile that allows pidfd_open",
        )
    return Check("processes by descriptor", True, "pidfd_open works")


def _proc() -> Check:
    own = read_stat(os.getpid())
    others = read_stat(1)
    good = own is not None and own.parent == os.getppid() and others is not None
    return Check(
        "see processes in /proc",
        good,
        "all of them" if good else "not this process, or not process 1",
        "" if good else "mount /proc of this pid namespace, without hidepid (proc(5)), or run as root",
    )
