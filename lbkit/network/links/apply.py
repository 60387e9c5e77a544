"""Make namespaces with their links as wanted, and delete them, in bulk."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from lbkit.base.errors import Bug, Failure
from lbkit.base.host import Host
from lbkit.base.mark import read_mark
from lbkit.network import namespace, sysctl
from lbkit.network.deletion import delete_links
from lbkit.network.links import steps
from lbkit.network.links.observe import by_protocol, observe_named
from lbkit.network.links.steps import Links
from lbkit.network.links.values import Report, SeenNamespace, WantedNamespace
from lbkit.network.netlink import read
from lbkit.network.netlink.channel import Netlink
from lbkit.network.netlink.read import Link
from lbkit.network.netlink.wire import Request


def converge(
    host: Host, wanted: Sequence[WantedNamespace], report: Report, *, adopt: Collection[str] = ()
) -> None:
    """Make each namespace as wanted, from whatever stands: nothing, half of it, or other than wanted.

    All that goes is deleted at once first, then each namespace is finished in its turn. Interfaces with a mark of the same topology
    that are not wanted go, as do addresses and routes of ours; foreign ones stay. Raises Failure at
    the first that the kernel refuses; those reported before it are done. A namespace of a wanted name with
    no mark of the topology is a Failure before anything is touched, unless `adopt` has its name.
    """
    if not wanted:
        return
    names = {want.name for want in wanted}
    seen: dict[str, SeenNamespace] = {}
    for prefix in {_prefix(want) for want in wanted}:
        seen |= observe_named(host, prefix, names=names)
    for want in wanted:
        have = seen.get(want.name)
        if have is not None and want.name not in adopt and not steps.belongs(have.mark, want.mark):
            raise _foreign(want.name, have)
    standing = {name: have for name, have in seen.items() if have.whole}
    namespace.prepare(host)
    with Netlink() as outside:
        present = read.links(outside)
        ports = {link.name: link for link in present}
        plans = [(want, steps.decide(want, standing.get(want.name), ports)) for want in wanted]
        delete_links(outside, [goner for _, plan in plans for goner in plan.goners], present)
        with namespace.wandering():
            for want, plan in plans:
                outside.where = f"namespace {want.name}"
                have = standing.get(want.name)
                if have is None:
                    done = _furnish(host, want, plan, ports, outside)
                else:
                    done = _amend(host, want, have, plan, ports, outside)
                report(want.name, done)


def _prefix(want: WantedNamespace) -> str:
    found = read_mark(want.mark)
    if found is None or not want.name.startswith(f"{found.topology}."):
        raise Bug(
            "a namespace was to be named TOPOLOGY.MEMBER and marked so", found=f"{want.name}, {want.mark}"
        )
    return f"{found.topology}."


def _furnish(
    host: Host, want: WantedNamespace, plan: Links, ports: Mapping[str, Link], outside: Netlink
) -> str:
    """A new namespace: nothing is there, so all that goes inside goes in one message."""
    requests = [
        *steps.links_inside(want, None, plan),
        *steps.addresses_inside(plan, {}, {}),
        *steps.routes_inside(want.routes, ()),
    ]
    with namespace.make(host, want.name, want.mark, want.sysctls) as inside:
        _make_links(outside, plan, ports)
        inside.carry_out(requests)
    return f"namespace made, {len(plan.make)} links, {_count(requests)}"


def _amend(
    host: Host,
    want: WantedNamespace,
    have: SeenNamespace,
    plan: Links,
    ports: Mapping[str, Link],
    outside: Netlink,
) -> str:
    """One that stands. The kernel drops addresses and routes with what they hang on, so it is asked after each step."""
    namespace.enter(host, want.name)
    for key, value in want.sysctls.items():
        if sysctl.get(key) != value:
            sysctl.put(key, value)
    with Netlink(where=f"namespace {want.name}") as inside:
        _make_links(outside, plan, ports)
        requests = steps.links_inside(want, have, plan)
        inside.carry_out(requests)
        about_addresses = steps.addresses_inside(plan, *by_protocol(read.addresses(inside)))
        inside.carry_out(about_addresses)
        present = [(route.to, route.via) for route in read.routes(inside) if route.via is not None]
        about_routes = steps.routes_inside(want.routes, present)
        inside.carry_out(about_routes)
    return f"namespace amended, {_count([*requests, *about_addresses, *about_routes])}"


def _make_links(outside: Netlink, plan: Links, ports: Mapping[str, Link]) -> None:
    """By the host's socket, while the calling thread is in the namespace that new links lead to."""
    with namespace.here() as descriptor:
        outside.carry_out(*steps.on_host(plan, ports, descriptor))


def _count(requests: Sequence[Request]) -> str:
    return f"{len(requests)} netlink requests inside"


def remove(host: Host, topology: str, names: Sequence[str], report: Report) -> None:
    """Delete namespaces with all their links, the host's ends first and all in one go. Idempotent.

    Only what bears the mark of `topology`; another is a Failure before anything is touched. Processes inside are the
    caller's to stop before: as long as one runs, its namespace lives on without a name and without links.
    """
    there = unplug(host, topology, names)
    for name in names:
        namespace.unmake(host, name)
        report(name, "namespace deleted" if name in there else "was gone already")


def unplug(host: Host, topology: str, names: Sequence[str]) -> frozenset[str]:
    """Delete all links of these namespaces. Those that are there. As for `remove`, only what bears the topology's mark."""
    seen = observe_named(host, f"{topology}.", names=set(names))
    members = set()
    for name, have in seen.items():
        found = read_mark(have.mark)
        if found is None or found.topology != topology:
            raise _foreign(name, have)
        members.add(found.path)
    with Netlink() as netlink:
        present = read.links(netlink)
        goners = [
            (link.ifindex, link.name)
            for link in present
            if link.kind == "veth"
            and (found := read_mark(link.alias)) is not None
            and found.topology == topology
            and found.path.rpartition("/")[0] in members
        ]
        delete_links(netlink, goners, present)
    return frozenset(seen)


def _foreign(name: str, have: SeenNamespace) -> Failure:
    return Failure(
        f"namespace {name} was to be lbkit's",
        found=f"its mark is {have.mark[:80]!r}" if have.mark else "it was not made by lbkit",
        remedy="remove or rename it, then apply again",
    )
