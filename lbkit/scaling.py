"""How many machines a group has, changed in the topology's file and in the world by one plan.

What the file would be is planned before anything is written. Then, under the topology's lock: it is noted what is agreed to, the file is
written, and the plan carried out. Killed at any point in between, the same call again comes to its end, and an apply of the file as it
stands then undoes nothing that was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lbkit import operate
from lbkit.base.errors import Failure, LbkitError, Mistake
from lbkit.base.files import shown
from lbkit.base.host import Host
from lbkit.base.problems import InvalidDocument, dotted, near
from lbkit.engine.applying import PlanChanged, Result, Watcher
from lbkit.engine.plan import Plan
from lbkit.engine.scope import Scope
from lbkit.topology.document import Document, Scalar, Table
from lbkit.topology.edit import Edit, edit, opened, read

_ROUNDS = 5  # how often the world may overtake a plan before that is a failure


@dataclass(frozen=True, slots=True)
class Line:
    """The file's line, from 1, that says how many machines `group` has."""

    group: str
    line: int
    before: int
    after: int

    def __str__(self) -> str:
        return f"{self.group}: count {self.before} -> {self.after}"

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Scaling:
    """`scope` as the file will be read; `lines` that will be others, none where it says so already."""

    file: Path
    scope: Scope
    lines: tuple[Line, ...]
    edit: Edit | None

    def write(self) -> None:
        if self.edit is not None:
            self.edit.write()


@dataclass(frozen=True, slots=True)
class Scaled:
    """`result` None: it is a plan."""

    scaling: Scaling
    plan: Plan
    result: Result | None = None

    def __bool__(self) -> bool:
        """Whether something is, or was, to be done."""
        return bool(self.lines or self.plan)

    @property
    def lines(self) -> tuple[Line, ...]:
        return self.scaling.lines

    def file_before_and_after(self) -> tuple[str, str]:
        """The lines that differ, as two texts."""
        file = shown(self.scaling.file)
        heads = [f"{file}:{line.line}: machines.{line.group}.count" for line in self.lines]
        before = "".join(f"{head}: {line.before}\n" for head, line in zip(heads, self.lines, strict=True))
        after = "".join(f"{head}: {line.after}\n" for head, line in zip(heads, self.lines, strict=True))
        return before, after

    def as_data(self) -> dict[str, Any]:
        return {
            "schema": "lbkit.scaling/1",
            "topology": self.scaling.scope.name,
            "file": shown(self.scaling.file),
            "lines": [line.as_data() for line in self.lines],
            "plan": self.plan.as_data(),
            "result": None if self.result is None else self.result.as_data(),
        }


class MorePending(Failure):
    """The file has what was not carried out yet, beside how many machines there shall be. Nothing was touched."""

    def __init__(self, file: Path, pending: Plan) -> None:
        self.pending = pending
        words = [str(change) for change in pending.changes]
        more = f" and {len(words) - 5} more" if len(words) > 5 else ""
        super().__init__(
            f"nothing but the number of machines was to change in {pending.topology}",
            found=f"{shown(file)} has what was not applied yet: {', '.join(words[:5])}{more}",
            remedy=f"`lbkit apply {shown(file)}` first, or take it out of the file; nothing was touched",
        )

    def as_data(self) -> dict[str, Any]:
        return {**super().as_data(), "plan": self.pending.as_data()}


def prepare(file: Path, counts: Mapping[str, int], host: Host | None = None) -> Scaling:
    """What the file says then, checked. Mistake where it cannot say so, MorePending where an apply of it would do more. Changes nothing."""
    host, rounds = host or Host(), 0
    while True:
        whole = opened(file)
        try:
            return _prepared(whole, counts, host)
        except MorePending:
            rounds += 1
            # another scale's file may have been read, and then its world looked at
            if rounds == _ROUNDS or opened(file).before == whole.before:
                raise


def _prepared(whole: Edit, counts: Mapping[str, int], host: Host) -> Scaling:
    from lbkit.topology.load import load_bytes  # noqa: PLC0415 - pydantic models of every room: only when needed

    file = whole.path
    name, folder = shown(file), file.absolute().parent
    now = load_bytes(whole.after, name, folder)
    document = read(whole.text, is_json=name.endswith(".json"))
    lines = []
    for group, after in counts.items():
        before = _count(document, group, after, name)
        if before != after:
            whole = edit(file, ("machines", group, "count"), after, on=whole)
            lines.append(Line(group, whole.line, before, after))
    if not counts:
        raise Mistake("a group was to get another number of machines", found="none is named")
    then = now
    if lines:
        try:
            then = load_bytes(whole.after, name, folder)
        except InvalidDocument as error:
            raise _unfit(lines, error, name) from error
    _refuse_more(file, now, then, host)
    return Scaling(file, then, tuple(lines), whole if lines else None)


def plan_scale(file: str | Path, counts: Mapping[str, int], host: Host | None = None) -> Scaled:
    """What `apply_scale` would do now. Changes nothing."""
    host = host or Host()
    scaling = prepare(Path(file), counts, host)
    return Scaled(scaling, operate.plan(scaling.scope, host))


def apply_scale(
    file: str | Path,
    counts: Mapping[str, int],
    host: Host | None = None,
    *,
    lock_timeout: float = 0.0,
    watch: Watcher | None = None,
    prove: bool = False,
) -> Scaled:
    """Write how many machines each group has into the file, all else of which stays as it is, and carry that out.

    `counts` by group ("web"). `lock_timeout`, `watch` and `prove` as for `apply`. A group without `count` is one machine of another name:
    it takes 1 and nothing else.
    """
    host, rounds = host or Host(), 0
    more: dict[str, Any] = {} if watch is None else {"watch": watch}
    while True:
        planned = plan_scale(file, counts, host)
        scaling = planned.scaling
        try:
            result = operate.apply(
                scaling.scope,
                host,
                promised=planned.plan,
                lock_timeout=lock_timeout,
                prove=prove,
                on_agreed=scaling.write,
                **more,
            )
        except PlanChanged:  # another apply, for which this one has waited
            rounds += 1
            if rounds == _ROUNDS:
                raise
        else:
            return Scaled(scaling, result.plan, result)


def _count(document: Document, group: str, after: int, file: str) -> int:
    """How many machines the group has; Mistake where it cannot have `after`."""
    wanted = f"machines.{group} was to have {after} machine{'' if after == 1 else 's'}"
    machines = document.root.entries.get("machines")
    groups = machines.entries if isinstance(machines, Table) else {}
    declared = groups.get(group)
    if not isinstance(declared, Table):
        raise Mistake(wanted, found="no group of that name", where=file, remedy=near(group, groups))
    if isinstance(after, bool) or not isinstance(after, int) or after < 0:
        raise Mistake(wanted, found=repr(after), remedy="write a whole number, 0 or more")
    count = declared.entries.get("count")
    if isinstance(count, Scalar) and isinstance(count.value, int):
        return int(count.value)
    if after != 1:
        raise Mistake(
            wanted,
            found=f"it has no `count`: it is one machine, {group}, and of several the first is {group}-1",
            where=f"{file}:{document.line(('machines', group))}",
            remedy=f"write `count: {after}` there yourself; `lbkit plan` shows that {group} goes, and who comes",
        )
    return 1


def _unfit(lines: list[Line], error: InvalidDocument, file: str) -> LbkitError:
    problems = [
        f"{dotted(each.path)}: {each.wanted}" + (f", found {each.found}" if each.found else "")
        for each in error.problems
    ]
    remedies = [each.remedy for each in error.problems if each.remedy]
    return Mistake(
        f"it was to be {' and '.join(map(str, lines))}",
        found="; ".join(problems[:5]),
        where=f"{file}:{lines[0].line}",
        remedy="; ".join([*dict.fromkeys(remedies[:3]), "nothing was touched"]),
    )


def _refuse_more(file: Path, now: Scope, then: Scope, host: Host) -> None:
    """What a person agreed to before may be repaired on the way; what the file has beside it may not come unseen."""
    agreed = operate.agreed(now.name, host)
    if agreed is not None and agreed.digest in {operate.digest(now, host), operate.digest(then, host)}:
        return
    pending = operate.plan(now, host)
    if pending:
        raise MorePending(file, pending)
