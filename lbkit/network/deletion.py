"""Delete many links at once.

Each link that goes costs the kernel a wait for every CPU (rcu_barrier) under the lock that guards all links; a group of
links goes for the price of one. So the links are first put, each by its index, into a group that no link on
the host is in, and then the group is deleted: it holds nothing but what was put there just now.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Iterable, Sequence

from lbkit.network.netlink import write
from lbkit.network.netlink.channel import Netlink
from lbkit.network.netlink.read import Link


def delete_links(netlink: Netlink, goners: Sequence[tuple[int, str]], present: Iterable[Link]) -> None:
    """Delete links, each given as index and name. `present` is a dump of all links. Gone already: nothing."""
    if len(goners) == 1:
        groups = [[write.delete_link(*goners[0])]]
    else:
        group = _free_group({link.group for link in present})
        groups = [[write.set_link(index, name, group=group)] for index, name in goners]
        groups += [[write.delete_group(group)]] if goners else []
    for refused in netlink.send(groups):
        if refused is not None and refused.errno != errno.ENODEV:
            raise refused


def _free_group(taken: set[int]) -> int:
    while (group := 1 << 16 | secrets.randbits(31)) in taken:
        pass
    return group
