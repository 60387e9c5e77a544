"""Remove machines in bulk: what runs in them first, then their files, then their namespaces and links."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from lbkit.base.files import make_folder
from lbkit.base.host import Host
from lbkit.machine.local.folder import remove_tree
from lbkit.machine.local.place import machine_folder
from lbkit.machine.local.removal import stop_machines, who_is_in
from lbkit.machine.netns.network import namespace_name, network_identity
from lbkit.network import links

_STRANGERS = "left running, as lbkit did not start them: "


def power_off(host: Host, topology: str, member: str, left: float | None) -> str:
    """Of one machine all but its folder, which says that it was there: what runs in it has `left` seconds.

    None: it is killed, and its links go first, so that nobody hears of its end. The namespace goes last: killed before, this
    shows as a machine that runs. What was done, in words.
    """
    name = namespace_name(topology, member)
    make_folder(machine_folder(host, topology, member))
    said: list[str] = []

    def report(_namespace: str, executed: str) -> None:
        said.append(executed)

    network = network_identity(host, topology, member)
    if left is None:
        links.unplug(host, topology, [name])
    stop_machines(host, topology, [member], lambda _member: network, timeout=left or 0.0)
    strangers = who_is_in({network: name}).get(name, [])
    links.remove(host, topology, [name], report)
    if strangers:
        said.append(_STRANGERS + ", ".join(strangers))
    return "; ".join(["its services stopped", *said])


def remove(host: Host, topology: str, members: Mapping[str, str]) -> dict[str, str]:
    """Remove machines (`members` by namespace) and say of each what was done.

    Killed at any point, what is left still shows whose it is: the namespace goes last.
    """
    identity = partial(network_identity, host, topology)
    stop_machines(host, topology, list(members.values()), identity)
    # a person's shell, say: it keeps the namespace alive, nameless
    strangers = who_is_in({identity(member): namespace for namespace, member in members.items()})
    for member in members.values():
        remove_tree(machine_folder(host, topology, member))
    words = dict.fromkeys(members, "its services stopped and files removed")

    def report(namespace: str, executed: str) -> None:
        words[namespace] += "; " + executed

    links.remove(host, topology, sorted(members), report)
    for namespace, names in strangers.items():
        words[namespace] += f"; {_STRANGERS}" + ", ".join(names)
    return words
