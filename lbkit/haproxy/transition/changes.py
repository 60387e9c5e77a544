"""What is to become of a backend's servers: who comes, goes, moves, rests; what of it is a reload, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lbkit.haproxy.runtime.command import Command
from lbkit.haproxy.runtime.commands import server as to
from lbkit.haproxy.transition.adding import why_not_added
from lbkit.haproxy.transition.backend import Backend, is_address, pair
from lbkit.haproxy.transition.server import Server


@dataclass(slots=True)
class Changes:
    """What becomes of servers, by "BACKEND/SERVER": one may stand in several."""

    came: list[str] = field(default_factory=list)
    went: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)  # out of drain or maintenance, or from this into drain
    rests: list[str] = field(default_factory=list)  # into drain or maintenance
    emptied: list[str] = field(default_factory=list)  # weight 0
    woken: list[str] = field(default_factory=list)  # weight 0 no more
    settings: list[Command] = field(default_factory=list)
    reload: list[str] = field(default_factory=list)  # why, in words
    said: list[str] = field(default_factory=list)  # what changes at run time, in words
    kept: list[str] = field(default_factory=list)  # what was set by hand and stays


def changes(of: Backend, changed: Iterable[str]) -> Changes:
    found = Changes()
    for name in changed:
        if name not in of.wanted.servers:
            found.went.append(name)
            found.said.append(f"{of.said(name)} is removed")
            if not of.can.delete_server:
                found.reload.append(
                    f"backend {of.name}: HAProxy {of.running.version} removes servers at a reload alone"
                )
            continue
        if name not in of.running.servers:
            found.came.append(name)
            if why := why_not_added(of, name):
                found.reload.append(f"{of.said(name)} is added, and {why}")
            else:
                found.said.append(f"{of.said(name)} is added")
            continue
        _changed(of, name, found)
    return found


def _changed(of: Backend, name: str, found: Changes) -> None:
    have, want = of.running.server(name), _kept(of, name, found)
    if have.with_(unproven=False) == want:
        return
    found.said.append(f"{of.said(name)} {_words(have, want)}")
    if (have.address, have.port) != (want.address, want.port):
        found.moved.append(name)
        if not is_address(have.address) or not is_address(want.address):
            found.reload.append(f"{of.said(name)} moves, and its name is looked up at a reload alone")
    if have.admin != want.admin:
        (found.rests if _rests(have, want) else found.again).append(name)
    found.settings += _settings(of, name, have, want, found.reload)
    if want.weight == 0 != have.weight and of.dynamic:
        found.emptied.append(name)
    if want.weight != 0 == have.weight:
        found.woken.append(name)


def _kept(of: Backend, name: str, found: Changes) -> Server:
    """As wanted; with what was set by hand, where that is to be kept."""
    want = of.wanted.server(name)
    if of.wanted.by_hand == "undo" or name not in of.running.remembered:
        return want
    have = of.running.server(name)
    weight, _, admin = of.running.remembered[name].partition(" ")
    kept = want
    # what lbkit left there is what is wanted now, and the process has something else: somebody set that
    if have.admin != want.admin == admin:
        kept = kept.with_(admin=have.admin)
    if have.weight != want.weight and str(want.weight) == weight:
        kept = kept.with_(weight=have.weight)
    of.kept[name] = kept
    if kept != want:
        found.kept.append(f"{of.said(name)} is {have.admin}, weight {have.weight}, by hand")
    return kept


def _words(have: Server, want: Server) -> str:
    said = []
    if have.place != want.place:
        said.append(f"moves from {have.place} to {want.place}")
    said += [
        f"{what}: {was} -> {now}"
        for what, was, now in (
            ("weight", _weight(have), _weight(want)),
            ("maxconn", have.maxconn or "none", want.maxconn or "none"),
            ("backup", _yes(have.backup), _yes(want.backup)),
            ("cookie", have.cookie or "none", want.cookie or "none"),
            ("id", have.ident or "none", want.ident or "none"),
            ("state", have.admin, want.admin),
            ("checks", _yes(have.checked), _yes(want.checked)),
            ("check port", have.check_port or "its own", want.check_port or "its own"),
            ("agent port", have.agent_port or "none", want.agent_port or "none"),
            ("agent", _yes(have.asked), _yes(want.asked)),
        )
        if was != now
    ]
    return ", ".join(said)


def _settings(of: Backend, name: str, have: Server, want: Server, reload: list[str]) -> Iterator[Command]:
    """What is set while it serves; and in `reload`, in words, what cannot be."""
    if have.weight != want.weight:
        if want.weight is None or have.weight is None:
            reload.append(f"{of.said(name)}: whether an agent sets its weight")
        elif of.dynamic:
            if want.weight or have.admin != "ready":  # else it leaves, and others have to be up
                yield to.set_weight(*pair(name), want.weight)
        else:
            reload.append(
                f"{of.said(name)} gets weight {want.weight}, which `balance {' '.join(of.was.balance)}` "
                "takes at no other time"
            )
    if have.maxconn != want.maxconn:
        yield to.set_server_maxconn(*pair(name), want.maxconn)
    if have.backup != want.backup:
        reload.append(f"{of.said(name)} {'becomes' if want.backup else 'is no longer'} a backup")
    if have.cookie != want.cookie:
        reload.append(f"{of.said(name)} gets the cookie {want.cookie or 'none'}")
    if have.ident != want.ident:
        reload.append(f"{of.said(name)} gets the number {want.ident or 'that is next'}")
    if have.check_port != want.check_port:
        yield to.set_check_port(*pair(name), want.check_port)
    if have.agent_port != want.agent_port and have.agent_port and want.agent_port:
        yield to.set_agent_port(*pair(name), want.agent_port)
    if have.asked and not want.asked:
        yield to.disable_agent(*pair(name))
    elif want.asked and not have.asked and have.weight is None:
        yield to.enable_agent(*pair(name))
    if have.checked and not want.checked:
        yield to.disable_health(*pair(name))
    elif want.checked and not have.checked and _is_told_at_once(have, want):
        yield to.enable_health(*pair(name))


def _is_told_at_once(have: Server, want: Server) -> bool:
    """To be checked: not one that moves, or comes back by its check (moving.py)."""
    return have.place == want.place and (have.admin == want.admin or _rests(have, want))


def _rests(have: Server, want: Server) -> bool:
    """Whether it is to serve less than it does."""
    return have.admin != want.admin and (want.admin == "maint" or have.admin == "ready")


def _weight(server: Server) -> str:
    return "its agent's" if server.weight is None else str(server.weight)


def _yes(value: bool) -> str:  # noqa: FBT001
    return "yes" if value else "no"
