"""A place where programs may own files of every id and mount: of root as it is, of an ordinary user by its subordinate ids.

util-linux's unshare(1) makes it: mount and process namespaces, so that nothing that was mounted or started outlives the
program, also when lbkit is killed; for an ordinary user a user namespace as well, with the ranges of /etc/subuid and
/etc/subgid by newuidmap(1).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lbkit.base.errors import Failure
from lbkit.base.files import FileFailure
from lbkit.base.run import CommandFailed, LocalRunner, MissingProgram

_PRIVATE = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_MAPPED = ("--map-root-user", "--map-auto")


def inside(*argv: str) -> list[str]:
    """`argv` so that it runs as root of such a place."""
    return ["unshare", *(() if _owns_all_ids() else _MAPPED), *_PRIVATE, "--", *argv]


def _owns_all_ids() -> bool:
    return os.geteuid() == 0


def check_ids() -> None:
    """Failure where an ordinary user has no subordinate ids."""
    if _owns_all_ids():
        return
    try:
        LocalRunner().run(inside("true"))
    except (CommandFailed, MissingProgram) as error:
        found = error.completed.stderr.strip() if isinstance(error, CommandFailed) else error.found
        raise Failure(
            "files of many owners were to be made, as an ordinary user",
            found=found,
            remedy="install uidmap, and have a range of /etc/subuid and /etc/subgid (`usermod --add-subuids "
            "100000-165535 --add-subgids 100000-165535 USER`); or build as root",
        ) from error


def remove_tree(folder: Path) -> None:
    """Remove a folder with all in it, also what belongs to subordinate ids."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except PermissionError as error:
        if _owns_all_ids():
            raise FileFailure("removed", folder, error) from error
        LocalRunner().run(inside("rm", "-rf", "--one-file-system", "--", str(folder)), timeout=300)
    except OSError as error:
        raise FileFailure("removed", folder, error) from error
