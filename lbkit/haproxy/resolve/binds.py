"""Where frontends listen: one owner for each address and port of a machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lbkit.base.problems import Path
from lbkit.engine.book import Endpoint, IPAddress
from lbkit.engine.scope import Draft
from lbkit.haproxy.resolve.tls import Tls
from lbkit.haproxy.resolved import ResolvedBind, ResolvedVip
from lbkit.haproxy.spec.bind import Bind
from lbkit.haproxy.spec.frontend import Frontend
from lbkit.haproxy.spec.words import Mode


@dataclass(slots=True)
class Binds:
    """Every bind of the document so far. HAProxy sets SO_REUSEPORT: the kernel would let two share a port."""

    draft: Draft
    taken: dict[tuple[str, int], list[tuple[IPAddress | None, str]]] = field(default_factory=dict)

    def resolved(
        self,
        balancer: str,
        name: str,
        frontend: Frontend,
        members: tuple[Endpoint, ...],
        vip: ResolvedVip | None,
        tls: Tls,
    ) -> tuple[ResolvedBind, ...]:
        place = ("load_balancers", balancer, "frontends", name)
        return self.at(place, frontend.bind, frontend.mode, members, vip, tls)

    def at(
        self,
        place: Path,
        binds: Sequence[Bind],
        mode: Mode,
        members: tuple[Endpoint, ...],
        vip: ResolvedVip | None,
        tls: Tls,
    ) -> tuple[ResolvedBind, ...]:
        """`place`: what has the key `bind`."""
        found = []
        owner = ".".join(map(str, place))
        for index, bind in enumerate(binds):
            path: Path = (*place, "bind", index) if len(binds) > 1 else (*place, "bind")
            foreign = self._foreign(bind.address, members, vip, path)
            for member in members:
                self.take(member.name, bind.address, bind.port, owner, path)
            spoken = None if bind.tls is None else tls.bind(bind.tls, mode, path)
            found.append(ResolvedBind(bind.address, bind.port, foreign, spoken, bind.accept_proxy, bind.raw))
        return tuple(found)

    def _foreign(
        self, address: IPAddress | None, members: tuple[Endpoint, ...], vip: ResolvedVip | None, path: Path
    ) -> bool:
        if address is None or address.is_loopback or address.is_unspecified:
            return False
        of_members = {own for member in members for many in member.addresses.values() for own in many}
        if (vip is not None and address in vip.addresses) or address in of_members:
            return len(members) > 1 or address not in of_members
        if members:
            self.draft.problems.add(
                path,
                "the virtual address, an address of the load balancer's machines, or a port alone",
                found=str(address),
                remedy="a port alone listens on all addresses, the virtual one too",
            )
        return True

    def take(self, member: str, address: IPAddress | None, port: int, owner: str, path: Path) -> None:
        wildcard = address is None or address.is_unspecified
        others = self.taken.setdefault((member, port), [])
        for other, whose in others:
            if wildcard or other is None or other.is_unspecified or other == address:
                self.draft.problems.add(
                    path,
                    f"a place to listen that nobody else has on {member}",
                    found=f"{address or '*'}:{port} meets {other or '*'}:{port} of {whose}",
                    remedy="take another port, or give both an address of their own",
                )
                return
        others.append((address, owner))
        token = f"bind {member} {address or '*'}:{port}"
        before = self.draft.book.claim(token, owner)
        if before is not None:
            self.draft.problems.add(path, "a place to listen that nobody else has", found=f"{before} has it")
