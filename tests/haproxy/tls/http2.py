"""A client of HTTP/2 (RFC 9113) that goes on with open streams after a GOAWAY, as browsers do.

From the frames of `hyperframe` and the headers of `hpack`: `h2` above them takes a GOAWAY for the end.
"""

from __future__ import annotations

import socket
import ssl

from hpack import Decoder, Encoder
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Http2:
    """One connection. `ends`: the server has said that it takes no further streams."""

    def __init__(self, port: int, name: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket = context.wrap_socket(plain, server_hostname=name)
        assert self._socket.selected_alpn_protocol() == "h2"
        self._name = name
        self._encoder, self._decoder = Encoder(), Decoder()
        self._next = 1
        self.ends = False
        self._socket.sendall(PREFACE + SettingsFrame(0).serialize())

    def get(self, streams: int) -> list[int]:
        """The statuses of as many requests at a time, 0 for one that was reset.

        What is above the last stream of a GOAWAY was not looked at: any client asks it of another connection
        (section 6.8), and it is not in the list.
        """
        waiting = set()
        for _ in range(streams):
            frame = HeadersFrame(self._next, flags=["END_HEADERS", "END_STREAM"])
            fields = [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", self._name)]
            frame.data = self._encoder.encode(fields)
            waiting.add(self._next)
            self._next += 2
            self._socket.sendall(frame.serialize())
        statuses: dict[int, int] = {}
        while waiting:
            frame = self._frame()
            if isinstance(frame, HeadersFrame):
                fields = dict(self._decoder.decode(frame.data))
                statuses[frame.stream_id] = int(fields[":status"])
            elif isinstance(frame, DataFrame) and frame.flow_controlled_length:
                grow = WindowUpdateFrame(0, window_increment=frame.flow_controlled_length)
                self._socket.sendall(grow.serialize())
            elif isinstance(frame, RstStreamFrame):
                statuses[frame.stream_id] = 0
                waiting.discard(frame.stream_id)
            elif isinstance(frame, GoAwayFrame):
                self.ends = True
                waiting = {stream for stream in waiting if stream <= frame.last_stream_id}
            elif isinstance(frame, SettingsFrame | PingFrame) and "ACK" not in frame.flags:
                opaque = {"opaque_data": frame.opaque_data} if isinstance(frame, PingFrame) else {}
                self._socket.sendall(type(frame)(0, flags=["ACK"], **opaque).serialize())
            if "END_STREAM" in frame.flags:
                waiting.discard(frame.stream_id)
        return list(statuses.values())

    def close(self) -> None:
        self._socket.close()

    def _frame(self) -> Frame:
        frame, length = Frame.parse_frame_header(memoryview(self._read(9)))
        frame.parse_body(memoryview(self._read(length)))
        return frame

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            more = self._socket.recv(length - len(data))
            if not more:
                raise ConnectionError("closed with requests open")
            data += more
        return data
