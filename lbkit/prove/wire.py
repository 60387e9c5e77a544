"""What bytes become on their way to the network: nothing, or TLS. No sockets here: bytes in, bytes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ssl


class WireBroken(Exception):
    """The peer does not speak TLS, or ended it in its midst; the text says how."""


class Wire(Protocol):
    established: bool
    ended: bool  # the peer sends no more

    def send(self, data: bytes) -> None:
        """To be sent as soon as the wire is established."""
        ...

    def outgoing(self) -> bytes:
        """What is to be written to the network now; each byte once."""
        ...

    def receive(self, raw: bytes) -> bytes:
        """What `raw`, read from the network, carries. b"" from the network is the peer's end."""
        ...


class Plain:
    established = True

    def __init__(self) -> None:
        self.ended = False
        self._outgoing = bytearray()

    def send(self, data: bytes) -> None:
        self._outgoing += data

    def outgoing(self) -> bytes:
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def receive(self, raw: bytes) -> bytes:
        self.ended = not raw
        return raw


class Tls:
    """A client of TLS that judges no certificate: that a server answers is promised, not to whom it belongs."""

    def __init__(self, server_name: str, preamble: bytes = b"") -> None:
        """`preamble` goes ahead of TLS, in the clear. An address as `server_name` is not sent (RFC 6066, 3)."""
        import ssl  # noqa: PLC0415 - for those who speak TLS

        self.established = False
        self.ended = False
        self._ahead = preamble
        self._waiting = bytearray()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = _context().wrap_bio(self._in, self._out, server_hostname=server_name or None)
        self._go_on()

    def send(self, data: bytes) -> None:
        self._waiting += data
        self._go_on()

    def outgoing(self) -> bytes:
        data, self._ahead = self._ahead + self._out.read(), b""
        return data

    def receive(self, raw: bytes) -> bytes:
        import ssl  # noqa: PLC0415 - for those who speak TLS

        if raw:
            self._in.write(raw)
        else:
            self._in.write_eof()
        self._go_on()
        found = bytearray()
        while self.established and not self.ended:
            try:
                data = self._tls.read(1 << 16)
            except ssl.SSLWantReadError:
                break
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                data = b""
            except ssl.SSLError as error:
                raise WireBroken(_words(error)) from error
            self.ended = not data
            found += data
        return bytes(found)

    def _go_on(self) -> None:
        import ssl  # noqa: PLC0415 - for those who speak TLS

        try:
            if not self.established:
                self._tls.do_handshake()
                self.established = True
            if self._waiting:
                self._tls.write(bytes(self._waiting))
                self._waiting.clear()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            raise WireBroken(_words(error)) from error


def _context() -> ssl.SSLContext:
    import ssl  # noqa: PLC0415 - for those who speak TLS

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _words(error: ssl.SSLError) -> str:
    reason = error.reason or str(error)
    return reason.replace("_", " ").lower()
