"""A tiny web server: `/` says which machine answered, `/healthz` that it can. Needs nothing but Python.

Usage: app.py PORT. SIGTERM ends it after the requests under way.
"""

import os
import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

# TOPOLOGY/MEMBER/SERVICE, as lbkit starts it
NAME = os.environ.get("LBKIT_SERVICE", "-/unknown/-").split("/")[1]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open for the next request
    wbufsize = -1  # head and body in one packet
    timeout = 60  # seconds that an idle connection is kept

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/":
            self.answer(HTTPStatus.OK, f"hello from {NAME}\n")
        elif path == "/healthz":
            self.answer(HTTPStatus.OK, "ok\n")
        else:
            self.answer(HTTPStatus.NOT_FOUND, "no such page\n")

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def answer(self, status: HTTPStatus, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Server", NAME)
        if self.server.ending.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Requests are counted by the load balancer."""


class Server(ThreadingTCPServer):
    """Not http.server's own, which asks the resolver for this host's name before it listens."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    ending = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # who hangs up early is nobody's trouble
            super().handle_error(request, client_address)


def main() -> None:
    server = Server(("0.0.0.0", int(sys.argv[1])), Handler)  # noqa: S104 - alone in its namespace

    def end(_number: int, _frame: object) -> None:
        server.ending.set()
        threading.Thread(target=server.shutdown).start()  # it waits for the loop that this very thread runs

    signal.signal(signal.SIGTERM, end)
    server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
