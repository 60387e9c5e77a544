"""Commands that only ask (management guide, 9.3). Their answers as data: lbkit.haproxy.runtime.questions."""

from __future__ import annotations

from lbkit.haproxy.runtime.command import Command, file, name, whole

_INFO = "Name: "
_LEVEL = r"(?:user|operator|admin)\Z"
_STAT = "# pxname,"
_STATE = "1\n# "
_LISTS = r"# id \(file\) "
_ENTRIES = r"0x|\Z"
_CERTS = r"# (?:filename|transaction)(?:\n|\Z)|\Z"
_CERT = "Filename: "
_CRT_LIST = "# "
_TABLE = "# table: "
_VERSION = r"\d+\.\d"
_ANY_PATHS = r"(?!Unknown|Permission|This command|Can't|Operations)"


def info() -> Command:
    return Command("show info", _INFO)


def version() -> Command:
    return Command("show version", _VERSION)


def level() -> Command:
    """What this connection may do: user, operator or admin."""
    return Command("show cli level", _LEVEL)


def stat() -> Command:
    return Command("show stat", _STAT, quoted=True)


def servers_state(backend: str | None = None) -> Command:
    return Command("show servers state" + ("" if backend is None else f" {name(backend)}"), _STATE)


def maps() -> Command:
    return Command("show map", _LISTS)


def acls() -> Command:
    return Command("show acl", _LISTS)


def map_entries(map_file: str, *, version: int | None = None) -> Command:
    return Command(f"show map {_target(map_file, version)}", _ENTRIES)


def acl_entries(acl_file: str, *, version: int | None = None) -> Command:
    return Command(f"show acl {_target(acl_file, version)}", _ENTRIES)


def certs() -> Command:
    return Command("show ssl cert", _CERTS)


def cert(path: str, *, pending: bool = False) -> Command:
    """`pending`: of the open transaction, not what serves."""
    return Command(f"show ssl cert {'*' if pending else ''}{file(path)}", _CERT)


def ca_files() -> Command:
    return Command("show ssl ca-file", _CERTS)


def ca_file(path: str) -> Command:
    return Command(f"show ssl ca-file {file(path)}", _CERT)


def crt_lists() -> Command:
    return Command("show ssl crt-list", _ANY_PATHS)


def crt_list(path: str) -> Command:
    return Command(f"show ssl crt-list -n {file(path)}", _CRT_LIST)


def table(proxy: str) -> Command:
    return Command(f"show table {name(proxy)}", _TABLE)


def _target(path: str, version: int | None) -> str:
    return file(path) if version is None else f"@{whole(version, 0, 2**32 - 1, 'a version')} {file(path)}"
