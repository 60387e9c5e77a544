"""Names of the files in an HAProxy's folder, which is its working directory."""

from __future__ import annotations

CONFIG = "haproxy.cfg"
RUNTIME_SOCKET = "runtime.sock"
MASTER_SOCKET = "master.sock"
STATE_FILE = "servers.state"
PEERS_SOCKET = "peers.sock"
"""Files of the service's folder, which is HAProxy's working directory: the configuration names them without a
path, so that the limit of a socket's address (97 bytes of path, uxst_bind_listener) is never met."""
