"""Addresses that nobody wrote down: pure, the same for the same file anywhere, and steady when the file grows.

The addresses of a prefix are numbered from its first (slot 0) and split into cells of equal size, which
depends on the prefix alone. Every group claims one home cell by the hash of its name, and member i takes
slot i of it. Members beyond their home, and those whose slot somebody pinned, go to cells and slots at the
far end of the prefix, where no home is; only when that is full anywhere: whatever fits is accepted.
docs/adr/0003-address-allocation.md says what this keeps steady, and why nothing can keep everything so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from lbkit.base.errors import Bug
from lbkit.engine.book import IPAddress, IPNetwork

LARGEST_CELL_BITS = 12  # a group has at most 4096 members (machine/spec.py)
SLOT_BITS = 32  # of a large IPv6 prefix the lowest addresses are handed out, so that people can read them


@dataclass(frozen=True, slots=True)
class Pool:
    """The slots of one prefix: slot n is its n-th address, `first` to `last` are an interface's to have."""

    prefix: IPNetwork

    @property
    def bits(self) -> int:
        return min(self.prefix.max_prefixlen - self.prefix.prefixlen, SLOT_BITS)

    @property
    def first(self) -> int:
        """Slot 0 is the network itself, or any router of it (RFC 4291 section 2.6.1), save in prefixes of one or
        two addresses (RFC 3021, RFC 6164).
        """
        return 0 if self.bits <= 1 else 1

    @property
    def last(self) -> int:
        broadcast = self.prefix.version == 4 and self.bits > 1
        return (1 << self.bits) - (2 if broadcast else 1)

    @property
    def cell_size(self) -> int:
        """About half the square root: 8 in a /24 (32 cells), 128 in a /16 (512 cells), 1 in a /30."""
        return 1 << min(LARGEST_CELL_BITS, max(0, (self.bits + 1) // 2 - 1))

    @property
    def homes(self) -> range:
        """Cells for homes: whole ones, after the first sixteenth, which is left to what people pin."""
        cells = self._cells
        return range(cells.start, cells.stop - len(cells) // 4)

    @property
    def beyond(self) -> range:
        """Cells for members that their home has no room for: the last quarter."""
        return range(self.homes.stop, self._cells.stop)

    @property
    def _cells(self) -> range:
        start = max(self.first, (1 << self.bits) // self.cell_size // 16)
        return range(start, max(start, (self.last + 1) // self.cell_size))

    def address(self, slot: int) -> IPAddress:
        number = int(self.prefix.network_address) + slot
        return IPv4Address(number) if self.prefix.version == 4 else IPv6Address(number)

    def slot(self, address: IPAddress) -> int:
        return int(address) - int(self.prefix.network_address)

    def usable(self, address: IPAddress) -> bool:
        """Whether an interface may have it: inside, and neither the network's own nor the broadcast address."""
        if address.version != self.prefix.version or address not in self.prefix:
            return False
        slot = self.slot(address)
        return slot >= self.first and (slot <= self.last or self.prefix.version == 6)

    def slots(self, addresses: Collection[IPAddress]) -> set[int]:
        """The slots, from `first` to `last`, of those of `addresses` that are in the prefix."""
        inside = (self.slot(address) for address in addresses if address.version == self.prefix.version)
        return {slot for slot in inside if self.first <= slot <= self.last}

    def free(self, taken: Collection[IPAddress]) -> int:
        return self.last - self.first + 1 - len(self.slots(taken))


def allocate(
    prefix: IPNetwork, groups: Mapping[str, Sequence[str]], taken: Collection[IPAddress] = ()
) -> dict[str, IPAddress]:
    """An address of `prefix` for each member of `groups`, none of those in `taken`.

    `groups` is in the document's order; a group without members keeps its home cell. The caller sees to it
    that there are no more members than `Pool(prefix).free(taken)`.
    """
    pool = Pool(prefix)
    if sum(len(members) for members in groups.values()) > pool.free(taken):
        raise Bug(f"{prefix} was to have an address for each member", found="fewer are free")
    claims = _Claims(pool, pool.slots(taken))
    homes = {group: claims.claim(pool.homes, group, 0) for group in groups}
    left: dict[str, list[tuple[int, str]]] = {}
    for group, members in groups.items():
        left[group] = [
            (index, member)
            for index, member in enumerate(members)
            if not claims.settle(member, homes[group], index)
        ]
    # from here on in the document's order, group by group: what is added at its end comes last
    for group, homeless in left.items():
        further: dict[int, int | None] = {}
        for index, member in homeless:
            nth = index // pool.cell_size
            if nth > 0 or homes[group] is None:
                if nth not in further:
                    further[nth] = claims.claim(pool.beyond, group, nth)
                if claims.settle(member, further[nth], index - nth * pool.cell_size):
                    continue
            claims.squeeze_in(member)
    return {member: pool.address(slot) for member, slot in claims.slot_of.items()}


@dataclass(slots=True)
class _Claims:
    """Who has what so far: claimed cells, taken slots, and the slot of each member that has one."""

    pool: Pool
    taken: set[int]
    cells: set[int] = field(default_factory=set)
    slot_of: dict[str, int] = field(default_factory=dict)
    squeezed: set[int] = field(default_factory=set)  # cells with members that have no cell
    full: int = 0  # how many of the places to squeeze in are

    def claim(self, cells: range, group: str, nth: int) -> int | None:
        """The nth cell for a group: the one of its hash, or the next free one of `cells`; None when all are gone."""
        for cell in _from(cells, f"{group}/{nth}"):
            if cell not in self.cells and cell not in self.squeezed:
                self.cells.add(cell)
                return cell
        return None

    def settle(self, member: str, cell: int | None, index: int) -> bool:
        """Give `member` the slot of its index in `cell`, where there is one and it is free."""
        if cell is None or index >= self.pool.cell_size:
            return False
        slot = cell * self.pool.cell_size + index
        if slot in self.taken:
            return False
        self._take(member, slot)
        return True

    def squeeze_in(self, member: str) -> None:
        """Give `member` a slot that is no cell's: at the far end, then anywhere; at last one that a cell has free."""
        size = self.pool.cell_size
        anywhere = range(self.pool.first, self.pool.last + 1)
        refuges = (range(self.pool.beyond.start * size, self.pool.last + 1), anywhere, anywhere)
        for refuge in range(self.full, len(refuges)):
            for slot in _from(refuges[refuge], member):
                if slot not in self.taken and (refuge == len(refuges) - 1 or slot // size not in self.cells):
                    self.squeezed.add(slot // size)
                    self._take(member, slot)
                    return
            self.full = refuge + 1
        raise Bug(f"{self.pool.prefix} was to have a free address for {member}")

    def _take(self, member: str, slot: int) -> None:
        self.taken.add(slot)
        self.slot_of[member] = slot


def _from(numbers: range, word: str) -> Iterator[int]:
    """All of `numbers`, beginning at the one that `word` hashes to: hash() differs from run to run, sha256 not."""
    if not numbers:
        return
    start = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8]) % len(numbers)
    for offset in range(len(numbers)):
        yield numbers[(start + offset) % len(numbers)]


def mac_address(topology: str, member: str, network: str) -> str:
    """A locally administered unicast address (IEEE 802, section 8.4), the same wherever the file is applied."""
    octets = bytearray(hashlib.sha256(f"mac/{topology}/{member}/{network}".encode()).digest()[:6])
    octets[0] = (octets[0] & 0xFC) | 0x02
    return ":".join(f"{octet:02x}" for octet in octets)
