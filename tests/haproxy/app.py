"""A web server for the tests: answers its machine's name, and 503 on /healthz while a file `sick` lies in its folder."""

import http.server
import os
import socketserver
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status = 503 if self.path == "/healthz" and os.path.exists("sick") else 200
        body = os.environ["LBKIT_SERVICE"].encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


Server(("", int(sys.argv[1])), Handler).serve_forever()
