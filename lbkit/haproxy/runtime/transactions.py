"""What takes HAProxy several commands and is to be all or nothing: a map's entries at once, a certificate with its key.

A failure on the way leaves nothing begun. A process that is killed on the way does: of a map nothing that matters (what was
prepared goes with the next commit), of a certificate a transaction that stands in the way of the next (`drop_pending`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Literal

from lbkit.base.secrets import Secret
from lbkit.haproxy.runtime.client import Runtime
from lbkit.haproxy.runtime.commands import patterns, tls
from lbkit.haproxy.runtime.failure import RuntimeFailure
from lbkit.haproxy.runtime.questions import CERTIFICATES


def replace_entries(runtime: Runtime, kind: Literal["map", "acl"], name: str, entries: Sequence[str]) -> None:
    """All entries of a map ("KEY VALUE") or of an ACL's list at once: no request sees some old and some new."""
    if kind == "map":
        version = patterns.version_created(runtime.ask(patterns.prepare_map(name)))
        pairs = [(key, value) for key, _, value in (entry.partition(" ") for entry in entries)]
        commands = patterns.add_map_entries(name, pairs, version=version)
        commit, clear = patterns.commit_map(name, version), patterns.clear_map(name, version=version)
    else:
        version = patterns.version_created(runtime.ask(patterns.prepare_acl(name)))
        commands = (patterns.add_acl(name, entry, version=version) for entry in entries)
        commit, clear = patterns.commit_acl(name, version), patterns.clear_acl(name, version=version)
    try:
        runtime.run(commands)
        runtime.do(commit)
    except RuntimeFailure:
        with contextlib.suppress(RuntimeFailure):  # the first failure is the one to tell of
            runtime.do(clear)
        raise


def certify(runtime: Runtime, name: str, pem: Secret | bytes, *, new: bool) -> None:
    """Give the process a certificate with its key, which serves from then on wherever the name is used."""
    if new:
        runtime.do(tls.new_cert(name))
    try:
        runtime.run([tls.set_cert(name, pem), tls.commit_cert(name)], window=1)
    except RuntimeFailure:
        with contextlib.suppress(RuntimeFailure):  # there may be nothing to abort
            runtime.do(tls.abort_cert(name))
        if new:
            with contextlib.suppress(RuntimeFailure):
                runtime.do(tls.del_cert(name))
        raise


def drop_pending(runtime: Runtime) -> str | None:
    """Which certificate somebody had begun to change and not committed: that is dropped, for it stands in the way.

    2.6 would take what is set next for its content, whatever the name; 3.0 refuses it.
    """
    pending = runtime.read(CERTIFICATES).pending
    if pending:
        runtime.do(tls.abort_cert(pending))
    return pending
