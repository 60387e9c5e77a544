"""What the machines of a group are, where they are virtual: all sizes filled in, and on which host each stands."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from lbkit.base.errors import Mistake
from lbkit.base.problems import near
from lbkit.engine.scope import Draft
from lbkit.machine.resolve_services import Sources, content_of
from lbkit.machine.resolved import ResolvedVm
from lbkit.machine.spec import Group


def vm_of(name: str, group: Group, sources: Sources, draft: Draft) -> ResolvedVm | None:
    if group.vm is None:
        return None
    vm = group.vm
    user_data = None
    if vm.user_data is not None:
        try:
            user_data = content_of(vm.user_data, sources, draft.folder)
        except Mistake as error:
            where = ("machines", name, "vm", "user_data", "source")
            draft.problems.add(where, error.wanted, found=error.found, remedy=error.remedy)
    return ResolvedVm(
        image=vm.image,
        memory=vm.memory,
        max_memory=vm.max_memory or vm.memory,
        cpus=vm.cpus,
        disk=vm.disk,
        accelerator=vm.accelerator,
        ssh_keys=vm.ssh_keys,
        user_data=user_data,
        keep_disk=vm.keep_disk,
        warm_pool=vm.warm_pool,
        warm_in=vm.warm_in,
        boot_timeout=vm.boot_timeout,
    )


def hosts_of(name: str, group: Group, draft: Draft) -> dict[str, str]:
    """By member the host that it stands on; none of a group whose machines are not virtual."""
    if group.vm is None:
        return {}
    members = group.members(name)
    if draft.is_broken("hosts"):
        return dict.fromkeys(members, "")
    known = list(draft.resolved["hypervisor"].by_name)
    if not known:
        return dict.fromkeys(members, "")
    path = ("machines", name)
    if group.host is not None:
        if group.host not in known and not draft.is_broken("hosts", group.host):
            draft.problems.add(
                (*path, "host"), "one of `hosts`", found=group.host, remedy=near(group.host, known)
            )
        return dict.fromkeys(members, group.host)
    if group.spread and len(members) > len(known):
        draft.problems.add(
            (*path, "spread"),
            f"a host for each of {len(members)} machines",
            found=f"{len(known)} in `hosts`: {', '.join(known)}",
        )
    elif len(known) > 1 and not group.spread:
        draft.problems.add(
            path, "`host`, or `spread: true`", found=f"neither, and several hosts: {', '.join(known)}"
        )
    return spread(members, known) if group.spread else dict.fromkeys(members, known[0])


def spread(members: Sequence[str], hosts: Sequence[str]) -> dict[str, str]:
    """Each on another host, as long as there are some. It follows from the names alone: a host or a member that comes or goes
    moves few of the others (rendezvous hashing; those that like each other best come first).
    """
    liking = sorted(
        (hashlib.sha256(f"{member}@{host}".encode()).digest(), member, host)
        for member in members
        for host in hosts
    )
    found: dict[str, str] = {}
    while len(found) < len(members):
        free = set(hosts)
        for _, member, host in liking:
            if member not in found and host in free:
                found[member] = host
                free.remove(host)
    return {member: found[member] for member in members}
