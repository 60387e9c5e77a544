"""Commands about maps and ACLs' lists (management guide, 9.3).

A replacement at once: `prepare`, its version out of the reply by `version_created`, `add` with that version, and
`commit`. A version that is never committed goes with the next that is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from lbkit.base.errors import Bug
from lbkit.haproxy.runtime.command import LIMIT, Command, file, whole, word

_CREATED = r"New version created: (\d+)\Z"
_MOST_VERSION = 2**32 - 1
_REFERENCE = re.compile(r"#0x[0-9a-f]+")


def add_map(map_file: str, key: str, value: str, *, version: int | None = None) -> Command:
    """Adds it even where the key is there already."""
    return Command(f"add map {_target(map_file, version)} {word(_key(key))} {word(_value(value))}")


def add_map_entries(
    map_file: str, entries: Iterable[tuple[str, str]], *, version: int | None = None, limit: int = LIMIT
) -> Iterator[Command]:
    """Many keys and values by few commands, each under `limit` bytes, in their order."""
    line = f"add map {_target(map_file, version)}"
    room = limit - len(line.encode()) - len(" <<\n") - len("\n")
    batch: list[bytes] = []
    size = 0
    for key, value in entries:
        entry = f"{_key(key)} {_value(value)}".encode()
        if batch and size + len(entry) + 1 > room:
            yield Command(line, payload=b"\n".join(batch))
            batch, size = [], 0
        batch.append(entry)
        size += len(entry) + 1
    if batch:
        yield Command(line, payload=b"\n".join(batch))


def set_map(map_file: str, key: str, value: str) -> Command:
    """The value of a key that is there: of all its entries, where there are several."""
    return Command(f"set map {file(map_file)} {word(_key(key))} {word(_value(value))}")


def set_map_entry(map_file: str, reference: str, value: str) -> Command:
    """The value of one entry (`Entry.reference`), whatever others its key has."""
    return Command(f"set map {file(map_file)} {_reference(reference)} {word(_value(value))}")


def del_map(map_file: str, key: str) -> Command:
    """All entries of the key."""
    return Command(f"del map {file(map_file)} {word(_key(key))}")


def del_map_entry(map_file: str, reference: str) -> Command:
    """One entry (`Entry.reference`), whatever others its key has."""
    return Command(f"del map {file(map_file)} {_reference(reference)}")


def clear_map(map_file: str, *, version: int | None = None) -> Command:
    return Command(f"clear map {_target(map_file, version)}")


def prepare_map(map_file: str) -> Command:
    return Command(f"prepare map {file(map_file)}", _CREATED)


def commit_map(map_file: str, version: int) -> Command:
    return Command(f"commit map {_target(map_file, version)}")


def add_acl(acl_file: str, pattern: str, *, version: int | None = None) -> Command:
    """Adds it even where it is there already. An ACL's list takes one pattern by each command."""
    return Command(f"add acl {_target(acl_file, version)} {word(_key(pattern, spaces=True))}")


def del_acl(acl_file: str, pattern: str) -> Command:
    return Command(f"del acl {file(acl_file)} {word(_key(pattern, spaces=True))}")


def del_acl_entry(acl_file: str, reference: str) -> Command:
    return Command(f"del acl {file(acl_file)} {_reference(reference)}")


def clear_acl(acl_file: str, *, version: int | None = None) -> Command:
    return Command(f"clear acl {_target(acl_file, version)}")


def prepare_acl(acl_file: str) -> Command:
    return Command(f"prepare acl {file(acl_file)}", _CREATED)


def commit_acl(acl_file: str, version: int) -> Command:
    return Command(f"commit acl {_target(acl_file, version)}")


def version_created(reply: str) -> int:
    """The version that `prepare_map` or `prepare_acl` made, from its reply."""
    match = re.match(_CREATED, reply)
    if match is None:
        raise Bug("a reply to `prepare` was to tell the version", found=ascii(reply))
    return int(match[1])


def _target(path: str, version: int | None) -> str:
    if version is None:
        return file(path)
    return f"@{whole(version, 0, _MOST_VERSION, 'a version')} {file(path)}"


def is_key(key: str, *, spaces: bool = False) -> bool:
    """Whether a map's file can have it too: no comment, nothing that a reader of the file would trim."""
    trimmed = not key or not key.isprintable() or key != key.strip()
    return not (trimmed or key.startswith("#") or (" " in key and not spaces))


def is_value(value: str) -> bool:
    """HAProxy says nothing of an entry without a value, and has none then."""
    return bool(value) and value.isprintable() and value == value.strip()


def _key(key: str, *, spaces: bool = False) -> str:
    if not is_key(key, spaces=spaces):
        raise Bug("a key was to be one printable word that does not begin with #", found=ascii(key))
    return key


def _value(value: str) -> str:
    if not is_value(value):
        raise Bug("a map's value was to be printable text, without spaces around it", found=ascii(value))
    return value


def _reference(reference: str) -> str:
    if not _REFERENCE.fullmatch(reference):
        raise Bug("an entry was to be named as HAProxy does, #0x...", found=ascii(reference))
    return reference
