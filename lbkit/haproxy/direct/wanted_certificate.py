"""What is wanted of one certificate, as a person says it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lbkit.base.errors import Mistake
from lbkit.haproxy.direct.given import Given


@dataclass(frozen=True, slots=True)
class WantedCertificate:
    """`name` as HAProxy calls the file. `given` None: it is to be gone.

    `crt_list`: the list that has one line of it for `names` (None: lines of it, whatever their names), or is to have none.
    `persist`: on the disk too. `folder`: where relative names begin on the disk.
    """

    name: str
    given: Given | None
    crt_list: str | None = None
    names: tuple[str, ...] | None = None
    persist: bool = False
    folder: Path | None = None

    def check(self) -> None:
        """Mistake where HAProxy could not have it so."""
        for what, name in (("a certificate", self.name), ("a crt-list", self.crt_list)):
            if name is not None and not _is_file(name):
                raise Mistake(f"the name of {what}'s file was wanted, as HAProxy has it", found=ascii(name))
        if self.names is not None and self.crt_list is None:
            raise Mistake("a crt-list was wanted", found="names that the certificate is for, and no list")
        for name in self.names or ():
            if not _is_filter(name):
                raise Mistake("a name that clients ask for was wanted", found=ascii(name))


def _is_file(name: str) -> bool:
    return bool(name) and name.isprintable() and name[0] not in "#@*-" and not set(name) & set(" <")


def _is_filter(name: str) -> bool:
    return bool(name) and name.isascii() and name.isprintable() and not set(name) & set(" []#\\;<")
