"""Services as desired, and what a difference of one means. Pure.

The state of a service:

    command, environment, user   what its process was started from
    files                        by path: digest, mode, owner, and the text where it is short and no secret
    running                      false: it died, or was never started
    digest                       what the process has taken up (`digest_of`)

Of what was observed there is also `trouble` (why it does not run) and `log` (its last lines).
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from lbkit.base.host import Host
from lbkit.base.secrets import Secret
from lbkit.engine.change import Action, Impact, Verdict
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.scope import Scope
from lbkit.machine.contract import NEVER_STARTED, FoundFile
from lbkit.machine.resolved import Machines, ResolvedFile, ResolvedMachine, ResolvedService

SHORT = 16384  # bytes of text that a plan shows
COMMAND = 60  # characters of a command that a line shows
UNSEEN = "?"  # at the end of a digest: started from it, and not yet seen to be ready

FileState = dict[str, Any]


def desired_services(scope: Scope, host: Host) -> Iterable[Desired]:
    for machine in scope.of("machine", Machines).by_name.values():
        for service in machine.services:
            yield Desired(
                service_key(machine.name, service.name),
                service_state(service, effective_user(service.user, machine, host)),
                requires=frozenset({Key("machine", machine.name)}),
                within=Key("machine", machine.name),
            )


def service_key(member: str, service: str) -> Key:
    return Key("service", f"{member}/{service}")


def service_of(scope: Scope, key: Key) -> ResolvedService | None:
    """The declared service of a key; None where it is declared no longer."""
    member, _, name = key.name.partition("/")
    machine = scope.of("machine", Machines).by_name.get(member)
    return next((each for each in machine.services if each.name == name), None) if machine else None


def effective_user(user: str | None, machine: ResolvedMachine, host: Host) -> str | None:
    """Where ids cannot be switched, everything runs as lbkit itself, and so is declared."""
    return user if machine.switches_users(host) and user != "root" else None


def service_state(service: ResolvedService, user: str | None) -> dict[str, Any]:
    return {
        "command": list(service.command),
        "environment": dict(service.environment),
        "user": user,
        "files": {path: file_wanted(file, user) for path, file in service.files.items()},
        "running": True,
        "digest": digest_of(service, user),
        "reload": reload_words(service),
    }


def file_wanted(file: ResolvedFile, user: str | None) -> FileState:
    if file.once:
        return {"once": True}
    return _file_state(file.content, file.mode, user)


def file_found(found: FoundFile, like: ResolvedFile | None) -> FileState:
    """A file as it is; where it is declared, in the terms of `like`. One that is declared no longer may be a secret."""
    if like is not None and like.once:
        return {"once": True}
    open_to_read = like is not None and not isinstance(like.content, Secret)
    return _file_state(found.content if open_to_read else Secret(found.content), found.mode, found.owner)


def _file_state(content: bytes | Secret, mode: int, owner: str | None) -> FileState:
    state: FileState = {"digest": _digest(content), "mode": f"{mode:04o}", "owner": owner}
    if isinstance(content, bytes) and len(content) <= SHORT and b"\0" not in content:
        try:
            state["text"] = content.decode()
        except UnicodeDecodeError:
            return state
    return state


def digest_of(service: ResolvedService, user: str | None) -> str:
    """What a process is started from: `COMMAND.FILES`, the second of which a reload can change."""
    command = json.dumps([list(service.command), dict(service.environment), user], sort_keys=True)
    files = json.dumps(
        {
            path: "once" if file.once else [_digest(file.content), file.mode]
            for path, file in service.files.items()
        },
        sort_keys=True,
    )
    return f"{_digest(command.encode())}.{_digest(files.encode())}"


def stale(digest: str) -> str:
    """The digest of a process whose files are about to change under it: it fits no declaration."""
    return digest.partition(".")[0] + "."


def reload_words(service: ResolvedService) -> str | None:
    return service.reload if isinstance(service.reload, str | None) else " ".join(service.reload)


def summary(want: Desired) -> str:
    """A service's command."""
    command = shlex.join(want.state["command"])
    return command if len(command) <= COMMAND else f"{command[:COMMAND]}…"


def judge_service(want: Desired, have: Actual) -> Verdict | None:
    changed = differing_parts(want.state, have.state)
    if not have.state.get("running"):
        why = have.state.get("trouble") or "it does not run"
        if have.state.get("log"):
            why += f"; its log ends: {have.state['log'][-1]}"
        if have.state.get("command") is None:
            # without a record that can be read it may run all the same, and is stopped by its mark
            impact = Impact.NONE if have.state.get("trouble") == NEVER_STARTED else Impact.DISRUPTIVE
            return Verdict(Action.UPDATE, impact, why)
        if not changed:
            return Verdict(Action.RESTART, Impact.NONE, why)
        return Verdict(Action.UPDATE, Impact.NONE, f"{', '.join(changed)} changed, and {why}")
    command, _, files = str(have.state.get("digest", "")).partition(".")
    wanted_command, _, wanted_files = str(want.state["digest"]).partition(".")
    if not changed and command == wanted_command and files == wanted_files + UNSEEN:
        return Verdict(Action.UPDATE, Impact.NONE, "it was started, and not yet seen to be ready")
    of_files = [part for part in changed if part.startswith("file ")]
    if changed != of_files or command != wanted_command:
        why = f"{', '.join(changed)} changed" if changed else "it runs with what was declared before"
        return Verdict(Action.UPDATE, Impact.DISRUPTIVE, f"{why}: it is restarted")
    if not changed and files == wanted_files:
        return None
    why = f"{', '.join(changed)} changed" if changed else "it has not taken up its changed files"
    if want.state["reload"] is None:
        return Verdict(Action.UPDATE, Impact.DISRUPTIVE, f"{why}: it is restarted, as it declares no reload")
    return Verdict(Action.UPDATE, Impact.RELOAD, f"{why}: it is reloaded ({want.state['reload']})")


def needs_restart(want: Mapping[str, Any], have: Mapping[str, Any]) -> bool:
    """Whether a running service cannot take up `want` by a reload."""
    if want["reload"] is None:
        return True
    same_command = str(have.get("digest", "")).partition(".")[0] == want["digest"].partition(".")[0]
    return not same_command or any(
        have.get(part) != want[part] for part in ("command", "environment", "user")
    )


def differing_parts(want: Mapping[str, Any], have: Mapping[str, Any]) -> list[str]:
    """In words: "command", "file app.py"."""
    parts = [part for part in ("command", "environment", "user") if have.get(part) != want[part]]
    before, after = have.get("files") or {}, want["files"]
    return parts + [
        f"file {path}" for path in sorted({*before, *after}) if before.get(path) != after.get(path)
    ]


def _digest(content: bytes | Secret) -> str:
    return content.digest if isinstance(content, Secret) else hashlib.sha256(content).hexdigest()[:16]
