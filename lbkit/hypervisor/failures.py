"""What libvirt says when it would not: its errors as failures of lbkit's, with what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from lbkit.base.errors import Failure

if TYPE_CHECKING:
    import libvirt

INSTALL_BINDING = "install lbkit with its extra: pip install 'lbkit-iac[libvirt]'"
START_DAEMON = (
    "start it: systemctl start libvirtd (Debian: apt install libvirt-daemon-system); "
    "in a sandbox: `lbkit sandbox --libvirt -- ...`"
)


class LibvirtFailed(Failure):
    """libvirt would not do it. `code` and `source` are libvirt's numbers VIR_ERR_* and VIR_FROM_*, -1 where it gave none."""

    def __init__(
        self,
        wanted: str,
        *,
        found: str = "",
        where: str = "",
        remedy: str = "",
        code: int = -1,
        source: int = -1,
    ) -> None:
        self.code = code
        self.source = source
        super().__init__(wanted, found=found, where=where, remedy=remedy)


class Unreachable(LibvirtFailed):
    """No connection to a libvirt, or one that was lost in the middle."""


@cache
def binding() -> ModuleType:
    """The module `libvirt`, its printing to stderr off. Unreachable where it is not installed."""
    try:
        import libvirt  # noqa: PLC0415 - the extra `libvirt`; 20 ms that most commands need not spend
    except ImportError as error:
        raise Unreachable(
            "libvirt's Python binding was to be there", found=one_line(str(error)), remedy=INSTALL_BINDING
        ) from error
    libvirt.registerErrorHandler(_silent, None)
    module: ModuleType = libvirt
    return module


def _silent(_context: object, _error: object) -> None:
    """Each error comes as an exception as well."""


@contextlib.contextmanager
def said(wanted: str, where: str = "") -> Iterator[None]:
    """What libvirt refuses in the block is a LibvirtFailed, or Unreachable where the connection went away."""
    libvirt = binding()
    try:
        yield
    except libvirt.libvirtError as error:
        raise failure(error, wanted, where) from error


def failure(error: libvirt.libvirtError, wanted: str, where: str = "") -> LibvirtFailed:
    code, source = number(error.get_error_code()), number(error.get_error_domain())
    found = one_line(error.get_error_message() or str(error))
    kind = Unreachable if is_lost(error) else LibvirtFailed
    return kind(wanted, found=found, where=where, code=code, source=source, remedy=_remedy(found))


def is_lost(error: libvirt.libvirtError) -> bool:
    """Whether the connection is gone, rather than the request refused."""
    libvirt = binding()
    code = error.get_error_code()
    if code in {libvirt.VIR_ERR_INVALID_CONN, libvirt.VIR_ERR_NO_CONNECT}:
        return True
    if error.get_error_domain() not in {libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE}:
        return False
    # virnetclient.c has no code of its own for a closed connection
    text = error.get_error_message() or ""
    return code in {libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_INTERNAL_ERROR} and any(
        words in text
        for words in (
            "client socket is closed",
            "connection closed",
            "Cannot recv data",
            "End of file",
            "Cannot write data",
            "keepalive",
            "Failed to connect",
            "unable to connect",
        )
    )


def number(value: object) -> int:
    return value if isinstance(value, int) else -1


def one_line(text: str) -> str:
    """What programs and other hosts say comes with it: printable, on one line, not endless."""
    flat = " ".join(text.split())
    return "".join(character if character.isprintable() else "?" for character in flat)[:500]


def _remedy(found: str) -> str:
    return next((remedy for words, remedy in _REMEDIES if all(word in found for word in words)), "")


_REMEDIES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("No space left on device",), "free space on that file system, then apply again"),
    (
        ("Cannot get interface MTU", "No such device"),
        "lbkit makes bridges on its own machine alone: make it there, or name one (`networks.NAME.bridge`)",
    ),
    (
        ("Failed to connect socket", "Permission denied"),
        "run as root, or add this user to the group libvirt (usermod -aG libvirt USER) and log in again",
    ),
    (("Failed to connect socket",), START_DAEMON),
    (("client socket is closed",), "look why libvirtd ended, start it, then apply again"),
    (
        ("Permission denied (",),
        "let this user log in there with a key (ssh-copy-id): lbkit asks for no password",
    ),
    (("Host key verification failed",), "add the host's key: ssh-keyscan HOST >> ~/.ssh/known_hosts"),
    (("Connection refused",), "start its libvirtd, or mend the URI in the section `hosts`"),
)
