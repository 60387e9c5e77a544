"""Serves the files beside it: site.py PORT. Not `python -m http.server`, which asks the resolver for this host's name first."""

import sys
from http.server import SimpleHTTPRequestHandler
from socketserver import ThreadingTCPServer


class Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("0.0.0.0", int(sys.argv[1])), SimpleHTTPRequestHandler).serve_forever()  # noqa: S104 - alone in its namespace
