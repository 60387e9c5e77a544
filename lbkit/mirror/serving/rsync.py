"""rsync's daemon of a machine: write what it is told, as the machine is, and become it.

CONFIG is JSON, and so are all paths in it relative to its folder:

    address, port   where it listens; without an address at all of the machine's
    modules         a list of {"public", "inner", "store", "nodes": {NAME: FILE}, "connections"} (rsyncd.py): `store` is the folder of a
                    store, which may come later; FILE has that node's password
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lbkit.base.errors import Mistake
from lbkit.base.files import read, write_atomic
from lbkit.mirror.program import data_of
from lbkit.mirror.serving import rsyncd
from lbkit.mirror.serving.launch import account, become, demand_free, leave_root, program


def serve(config: Path) -> int:
    """Returns never: it is rsync then."""
    folder = config.parent.resolve()
    data = data_of(config)
    address, port = data.get("address", ""), data["port"]
    path = program("rsync", "rsync")
    demand_free(address or "0.0.0.0", port)  # noqa: S104 - asked alone
    _render(folder, data)
    leave_root([port])
    become([path, "--daemon", "--no-detach", f"--config={folder / rsyncd.CONFIG}", "--log-file=/dev/stderr"])


def reload(config: Path) -> int:
    """The daemon reads its modules at each connection; where it listens it reads once."""
    _render(config.parent.resolve(), data_of(config))
    return 0


def _render(folder: Path, data: Mapping[str, Any]) -> None:
    who = account(("nobody",))
    modules = []
    for each in data["modules"]:
        passwords = {node: _password(folder / file) for node, file in each["nodes"].items()}
        secrets = folder / f"{each['inner']}.secrets"
        module = rsyncd.Module(
            each["public"],
            each["inner"],
            os.path.normpath(folder / each["store"]),
            [*passwords],
            str(secrets),
            each.get("connections") or 0,
        )
        modules.append(module)
        write_atomic(secrets, rsyncd.secrets(passwords).encode(), mode=0o600)
    text = rsyncd.config(
        modules,
        address=data.get("address", ""),
        port=data["port"],
        locks=str(folder),
        ids=None if who is None else (who.uid, who.gid),
    )
    write_atomic(folder / rsyncd.CONFIG, text.encode())


def _password(path: Path) -> str:
    content = read(path)
    if content is None:
        raise Mistake("a node's password was to be read", found="there is no such file", where=str(path))
    return content.decode("ascii", "replace").strip()
