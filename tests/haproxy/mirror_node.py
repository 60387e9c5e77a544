"""A node of a mirror in a machine: web server and agent, told by files beside it. `verdict`, `serials` (the last one serves), `asked` (a line for each request of a client)."""

import os
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

NAME = os.environ["LBKIT_SERVICE"].split("/")[1]
socketserver.TCPServer.allow_reuse_address = True
socketserver.TCPServer.request_queue_size = 64


socketserver.ThreadingTCPServer.daemon_threads = True


class Web(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        serials = Path("serials").read_text().split()
        serial = serials[-1]
        status = 200
        if self.path != "/debian/.lbkit-trace":
            asked = self.headers.get("Lbkit-Serial")
            with Path("asked").open("a") as told:
                told.write(f"{asked}\n")
            if asked is not None:
                status, serial = (200, asked) if asked in serials else (503, "")
        body = f"/{NAME}/{serial}".encode()
        self.send_response(status)
        if serial:
            self.send_header("Lbkit-Serial", serial)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Agent(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(Path("verdict").read_bytes())


Path("asked").touch()
Path("serials").write_text("7")
Path("verdict").write_text("ready up\n")
agent = socketserver.ThreadingTCPServer(("", 8001), Agent)
threading.Thread(target=agent.serve_forever, daemon=True).start()
socketserver.ThreadingTCPServer(("", 8000), Web).serve_forever()
