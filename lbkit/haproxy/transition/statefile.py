"""The server-state file: what the next process knows of its servers when it starts, whoever starts it.

Matched by names. Of a line HAProxy takes the admin state, whether the server is up, and its weight (as long as the
configuration's is the one that the line tells); the port too, so it must be the configured one. Measured on 2.6 and
3.0, whose `show servers state` has the form (management guide, 9.3).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from lbkit.haproxy.runtime.servers_state import EMPTY_STATE, Admin, Check
from lbkit.haproxy.transition.server import Server

_BACKEND, _SERVER, _OP, _ADMIN, _STATUS, _AGENT = 1, 3, 5, 6, 10, 14  # columns of a line
_WEIGHTS = slice(7, 9)
_ASKED_AT = slice(21, 25)  # check's port and address, agent's address and port
_NEVER_CHECKED = "1"
_FEWEST = 20  # columns of a line
_WANTED = "# wanted "


def state_file(
    dump: str,
    servers: Mapping[str, Server],
    new: Collection[str],
    up: Collection[str],
    *,
    undo: bool = False,
    late: Collection[str] = (),
    handed: bool = False,
) -> str:
    """`dump` is what `show servers state` said, or "". Of `new` ones it is not asked: those not in `up` begin down.

    `undo`: weights are those of `servers`, whatever somebody has set. `late`: backends whose servers begin without
    traffic (state.py), but for those that are not new where the file is `handed` to a process that begins at once.
    """
    kept = [line for line in dump.splitlines()[2:] if _name(line) in servers and _name(line) not in new]
    if undo:
        kept = [_weighed(line, servers[_name(line)].weight) for line in kept]
    lines = [*_by_hand(kept, servers)]
    for line in kept:
        lines += [_sound(line)] if handed else _begins(line, late)
    lines += _lines({name: servers[name] for name in new if name in servers}, up, late)
    return EMPTY_STATE + "".join(f"{line}\n" for line in lines)


def state_file_after(before: str, dump: str, changed: Collection[str], late: Collection[str] = ()) -> str:
    """The file anew after lbkit has changed these servers alone; of the others it says what it said `before`."""
    said = [
        line for line in before.splitlines() if line.startswith(_WANTED) and line.split(" ")[2] not in changed
    ]
    known = remembered("\n".join(said))
    for line in dump.splitlines()[2:]:
        lines = _begins(line, late)
        said += lines if _name(line) not in known else lines[-1:]
    return EMPTY_STATE + "".join(f"{line}\n" for line in said)


def remembered(text: str) -> dict[str, str]:
    """Weight and admin state that lbkit wanted of each server when it wrote the file, as "WEIGHT ADMIN"."""
    found: dict[str, str] = {}
    wanted: dict[str, str] = {}
    for line in text.splitlines():
        words = line.split(" ")
        if line.startswith(_WANTED):
            wanted[words[2]] = " ".join(words[3:])
        elif (said := _said(words)) is not None:
            found[_name(line)] = said
    return found | wanted


def _said(words: list[str]) -> str | None:
    """Weight and admin state that a line tells; None: it is none of a server."""
    if len(words) < _FEWEST or not words[0].isdigit():
        return None
    flags = Admin(int(words[6]))
    admin = "maint" if Admin.FORCED_MAINT in flags else "drain" if Admin.FORCED_DRAIN in flags else "ready"
    return f"{words[7]} {admin}"


def _by_hand(lines: list[str], servers: Mapping[str, Server]) -> Iterator[str]:
    """What was wanted of those that somebody set otherwise, and that stay so: a comment to HAProxy."""
    for line in lines:
        server = servers[_name(line)]
        wanted = f"{server.weight} {server.admin}"
        if server.weight is not None and _said(line.split(" ")) != wanted:
            yield f"{_WANTED}{_name(line)} {wanted}"


def _begins(line: str, late: Collection[str]) -> list[str]:
    """A line as a process is to find it that starts some time; before it what is wanted, where it does not tell that.

    Of late ones who is asked by an agent waits for what it says then, and who is not begins down.
    """
    words = _sound(line).split(" ")
    if words[_BACKEND] not in late:
        return [" ".join(words)]
    if not int(words[_AGENT]) & Check.ENABLED:
        words[_OP] = "0"
        return [" ".join(words)]
    words[_ADMIN] = str(int(words[_ADMIN]) | Admin.FORCED_DRAIN)
    return [f"{_WANTED}{_name(line)} {words[_WEIGHTS.start]} ready", " ".join(words)]


def _lines(servers: Mapping[str, Server], up: Collection[str], late: Collection[str] = ()) -> Iterator[str]:
    for name, server in servers.items():
        backend, _, own = name.partition("/")
        serves = name in up or not server.checked
        # a weight that is not the configuration's is passed over: right for one that an agent sets. With 0 HAProxy would
        # take a drain for the weight's doing, and pass over that
        weight = 1 if server.weight is None else server.weight
        waits = backend in late and server.asked
        admin = 8 if server.admin == "drain" or waits else 0  # maintenance stands in the configuration
        if server.admin == "maint" or waits:  # but for whoever asks later what was wanted
            yield f"{_WANTED}{name} {server.weight} {server.admin}"
        where, fqdn = ("-", server.address) if not _is_address(server.address) else (server.address, "-")
        yield (
            f"0 {backend} 0 {own} {where} {2 if serves else 0} {admin} {weight} {weight} 0 {_NEVER_CHECKED} 0 "
            f"{1 if serves else 0} 6 0 0 0 {fqdn} {server.port} - 0 0 - - 0"
        )


def _weighed(line: str, weight: int | None) -> str:
    """A weight that differs from the file's would outlive the reload."""
    words = line.split(" ")
    if weight is not None:
        words[_WEIGHTS] = [str(weight), str(weight)]
    return " ".join(words)


def _sound(line: str) -> str:
    """A status of 0 in a line kills the worker at the server's first check, in 2.6 and 3.0. That the file before said
    `disabled` once has a server wait for its checks anew: what the next file says is enough.
    """
    words = line.split(" ")
    if words[_STATUS] == "0":
        words[_STATUS] = _NEVER_CHECKED
    words[_ADMIN] = str(int(words[_ADMIN]) & ~0x04)
    if len(words) > _ASKED_AT.start:
        # where checks and agents are asked stands in the file: a line's would win
        words[_ASKED_AT] = "0", "-", "-", "0"
    return " ".join(words)


def _name(line: str) -> str:
    words = line.split(" ", _SERVER + 1)
    return f"{words[_BACKEND]}/{words[_SERVER]}" if len(words) > _SERVER + 1 else ""


def _is_address(text: str) -> bool:
    return ":" in text or text.replace(".", "").isdigit()
