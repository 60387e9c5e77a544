"""The keys between the machines of a mirror, and the passwords of its nodes: all made of one secret.

Nothing has to be kept: whoever has the secret has all of them, and who has one of them has no other. The master's name is a part
of each: what a lost master knew opens nothing once another one is in its place.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from lbkit.base.secrets import Secret


@dataclass(frozen=True, slots=True)
class Keys:
    """Of one mirror. Each is 64 hex digits, of HMAC-SHA256 (RFC 2104) of what it is for."""

    secret: Secret
    mirror: str
    master: str

    def keeper(self, node: str) -> Secret:
        """Between the master and that node."""
        return self._made("keeper", node)

    def neighbour(self) -> Secret:
        """All nodes have it: what it opens is one question (node/agent.py)."""
        return self._made("neighbour")

    def push(self) -> Secret:
        """Of who may say from elsewhere that upstream has something new."""
        return self._made("push")

    def password(self, machine: str) -> Secret:
        """With which a machine gets generations from the others' rsync daemons."""
        return self._made("rsync", machine)

    def _made(self, *purpose: str) -> Secret:
        # names are labels: none has a line break
        text = "\n".join(("lbkit mirror 1", self.mirror, self.master, *purpose))
        return Secret(hmac.digest(self.secret.reveal(), text.encode(), "sha256").hex().encode())
