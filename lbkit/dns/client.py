"""One server asked over one TCP connection: transfer a zone, update it, ask for its serial or for one rrset.

dnspython carries the messages and their signatures. Its `dns.query` and `dns.zone` stay out: they are half of
its import time, and a transfer needs neither.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from lbkit.dns.edits import Unit
from lbkit.dns.errors import MOVED, ServerFailure, Unreachable, ZoneMoved, refused, untrusted
from lbkit.dns.message import packed, update_message
from lbkit.dns.names import absolute
from lbkit.dns.tsig import TsigKey
from lbkit.dns.values import TYPES, read
from lbkit.dns.zonedata import ZoneData, gather

if TYPE_CHECKING:
    import dns.message
    import dns.rrset

TIMEOUT = 10.0  # seconds to wait for the next bytes
MESSAGE_OCTETS = 65535  # over TCP, RFC 1035 section 4.2.2
OVERHEAD_OCTETS = 1024  # the header, the zone's name and the signature


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said of one rrset. `kind` is the type that it answered with: CNAME, where one stands there."""

    rcode: str
    authoritative: bool
    kind: str = ""
    ttl: int = 0
    values: frozenset[str] = frozenset()


def managed(kind: str, rdata: Any) -> str | None:
    """The value in its one form, of types that a topology manages; None of any other."""
    return read(kind, rdata) if kind in TYPES else None


class Client:
    """`connection` is a connected TCP socket, which this closes. `key` None: questions go unsigned, as anybody's.

    `reading` gives a record's value as text, None where it does not matter.
    """

    def __init__(
        self,
        connection: socket.socket,
        zone: str,
        server: str,
        key: TsigKey | None,
        reading: Callable[[str, Any], str | None] = managed,
    ) -> None:
        self._socket = connection
        self._socket.settimeout(TIMEOUT)
        self.zone = zone
        self.server = server
        self.key = key
        self._reading = reading

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def transfer(self) -> ZoneData:
        """The whole zone, by AXFR (RFC 5936)."""
        soas: list[dns.rrset.RRset] = []
        rrsets: list[dns.rrset.RRset] = []
        for message in self._transferred():
            for rrset in message.answer:
                (soas if rrset.rdtype.name == "SOA" else rrsets).append(rrset)
            if not soas:
                raise self._malformed("a transfer", "it does not begin with an SOA record")
        serial = int(soas[0][0].serial)
        return gather(self.zone, serial, self._records(rrsets))

    def _transferred(self) -> Iterator[dns.message.Message]:
        import dns.message  # noqa: PLC0415 - 50 ms: where a server is asked, and not before

        question = dns.message.make_query(self.zone, "AXFR", flags=0)
        self._send(question, "a transfer")
        signing: Any = None
        ends = 0
        while ends < 2:  # the SOA comes first and last
            message = self._receive(question, "a transfer", transfer=True, signing=signing)
            signing = message.tsig_ctx
            ends += sum(rrset.rdtype.name == "SOA" for rrset in message.answer)
            if not message.answer:
                raise self._malformed("a transfer", "it ends in the middle")
            if ends >= 2:
                self._must_be_signed(message, "a transfer")
            yield message

    def update(self, units: Sequence[Unit]) -> Iterator[Sequence[Unit]]:
        """Send all `units`, in as few messages as hold them; yields what each message carried, once it is accepted.

        A message is all or nothing. Raises ZoneMoved when the zone is no longer as the units were made for.
        """
        import dns.exception  # noqa: PLC0415

        for batch in packed(units, MESSAGE_OCTETS - OVERHEAD_OCTETS):
            message = update_message(self.zone, batch)
            self._sign(message)
            try:
                wire = message.to_wire(max_size=MESSAGE_OCTETS)
            except dns.exception.TooBig:
                raise ServerFailure(
                    "an update",
                    self.zone,
                    self.server,
                    f"what stands at {batch[0].name} does not fit one message ({MESSAGE_OCTETS} octets)",
                    "spread the values over more names",
                ) from None
            self._write(wire)
            self._receive(message, "an update")
            yield batch

    def serial(self) -> int:
        """The serial that the server serves now."""
        message = self.ask(self.zone, "SOA")
        for rrset in message.answer:
            if rrset.rdtype.name == "SOA":
                return int(rrset[0].serial)
        raise self._malformed("a query", f"{message.rcode().name}, and no SOA of the zone")

    def look_up(self, name: str, kind: str) -> Answer:
        """What the server answers for `name`, relative to the zone."""
        message = self.ask(absolute(name, self.zone), kind)
        rcode, authoritative = message.rcode().name, bool(message.flags & 0x0400)
        for rrset in message.answer:
            found = rrset.rdtype.name
            if found in {kind, "CNAME"}:
                values = frozenset(
                    value for rdata in rrset if (value := self._reading(found, rdata)) is not None
                )
                return Answer(rcode, authoritative, found, rrset.ttl, values)
        return Answer(rcode, authoritative)

    def ask(self, name: str, kind: str) -> dns.message.Message:
        """The whole answer of NOERROR or NXDOMAIN for a whole name, without its last dot."""
        import dns.message  # noqa: PLC0415

        question = dns.message.make_query(name + ".", kind, flags=0)
        self._send(question, "a query")
        answer: dns.message.Message = self._receive(question, "a query")
        return answer

    def _records(self, rrsets: list[Any]) -> Iterator[tuple[str, str, int, str | None]]:
        suffix = f".{self.zone}."
        for rrset in rrsets:
            name = rrset.name.to_text().lower()
            name = "@" if name == suffix[1:] else name.removesuffix(suffix)
            kind = rrset.rdtype.name
            for rdata in rrset:
                yield name, kind, rrset.ttl, self._reading(kind, rdata)

    def _sign(self, message: Any) -> None:
        if self.key is not None:
            import dns.tsig  # noqa: PLC0415

            message.use_tsig(dns.tsig.Key(self.key.name + ".", self.key.secret.reveal(), self.key.algorithm))

    def _send(self, message: Any, doing: str) -> None:
        self._sign(message)
        self._write(message.to_wire(max_size=MESSAGE_OCTETS))

    def _write(self, wire: bytes) -> None:
        try:
            self._socket.sendall(struct.pack("!H", len(wire)) + wire)
        except OSError as error:
            raise self._broken(error) from error

    def _receive(self, question: Any, doing: str, *, transfer: bool = False, signing: Any = None) -> Any:
        import dns.exception  # noqa: PLC0415
        import dns.message  # noqa: PLC0415
        import dns.tsig  # noqa: PLC0415

        (length,) = struct.unpack("!H", self._read(2))
        wire = self._read(length)
        try:
            message = dns.message.from_wire(
                wire,
                keyring=question.keyring,
                request_mac=question.mac,
                xfr=transfer,
                tsig_ctx=signing,
                multi=transfer,
            )
        except dns.tsig.PeerError as error:
            raise self._untrusted(_PEER_ERRORS.get(type(error).__name__, "BADSIG"), doing) from error
        except dns.tsig.BadTime as error:
            raise self._untrusted("BADTIME", doing) from error
        except (
            dns.tsig.BadSignature,
            dns.tsig.BadKey,
            dns.tsig.BadAlgorithm,
            dns.message.UnknownTSIGKey,
        ) as error:
            raise self._untrusted("BADSIG", doing) from error
        except dns.exception.DNSException as error:
            raise self._malformed(doing, str(error) or type(error).__name__) from error
        if message.id != question.id or message.opcode() != question.opcode() or not message.flags & 0x8000:
            raise self._malformed(doing, "it answered another question")
        rcode = message.rcode().name
        if rcode in MOVED and doing == "an update":
            self._must_be_signed(message, doing)
            raise ZoneMoved(self.zone, self.server, rcode)
        if rcode != "NOERROR" and not (rcode == "NXDOMAIN" and doing == "a query"):
            raise refused(rcode, doing, self.zone, self.server, self.key.name if self.key else "")
        if signing is None:
            self._must_be_signed(message, doing)
        return message

    def _must_be_signed(self, message: Any, doing: str) -> None:
        if self.key is not None and not message.had_tsig:
            raise self._untrusted("UNSIGNED", doing)

    def _read(self, count: int) -> bytes:
        parts: list[bytes] = []
        while count:
            try:
                part = self._socket.recv(count)
            except OSError as error:
                raise self._broken(error) from error
            if not part:
                raise Unreachable(self.zone, self.server, "it closed the connection without an answer")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _broken(self, error: OSError) -> ServerFailure:
        if isinstance(error, TimeoutError):
            found = f"no answer within {TIMEOUT:g} s"
        elif isinstance(error, ConnectionError):  # as of a server that dies just now
            return Unreachable(self.zone, self.server, error.strerror or str(error))
        else:
            found = error.strerror or str(error)
        return ServerFailure(
            "an answer", self.zone, self.server, found, "see whether the server lives, and its log"
        )

    def _malformed(self, doing: str, found: str) -> ServerFailure:
        return ServerFailure(
            doing, self.zone, self.server, found, "check that it is a DNS server of that zone"
        )

    def _untrusted(self, reason: str, doing: str) -> ServerFailure:
        return untrusted(reason, doing, self.zone, self.server, self.key.name if self.key else "")


_PEER_ERRORS = {
    "PeerBadKey": "BADKEY",
    "PeerBadSignature": "BADSIG",
    "PeerBadTime": "BADTIME",
    "PeerBadTruncation": "BADTRUNC",
}
