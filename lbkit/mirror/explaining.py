"""Why a mirror's node serves or does not, and how its last runs went: the numbers that decide it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lbkit.base.errors import LbkitError
from lbkit.base.host import Host
from lbkit.engine.scope import Scope
from lbkit.engine.view import Finding
from lbkit.mirror import operations
from lbkit.mirror.answers import MirrorStatus, NodeStatus
from lbkit.mirror.reach import mirrors_of
from lbkit.mirror.resolved import ResolvedMirror
from lbkit.mirror.seen import (
    ENDLESS,
    FAILED,
    PATIENCE,
    UNHEARD,
    Seen,
    committed_words,
    generations_words,
    held_words,
    next_words,
    node_words,
    run_words,
    see,
    serves,
    source_words,
)

_RUNS = 3  # that are told


def explain(scope: Scope, host: Host, path: Sequence[str]) -> Sequence[Finding] | None:
    """`debian`, or `debian/mirror-2`; None of anything else."""
    mirror = next((each for each in mirrors_of(scope) if path and each.name == path[0]), None)
    if mirror is None or len(path) > 2 or (len(path) == 2 and path[1] not in mirror.nodes):
        return None
    seen = see(scope, host, mirror)
    return _of_node(seen, path[1]) if len(path) == 2 else _of_mirror(seen, scope, host)


def _of_mirror(seen: Seen, scope: Scope, host: Host) -> list[Finding]:
    mirror, found = seen.mirror, seen.status
    if found is None:
        words = f"its keeper on {mirror.master} does not {'run' if seen.away else 'answer'}"
        remedy = f"`lbkit explain {mirror.master}/{mirror.keeper}` says more; where the machine is lost: `lbkit mirror promote {mirror.name}`"
        return [
            Finding(False, words, f"{seen.why}\n{remedy}"),
            *(_silent_node(seen, node) for node in mirror.nodes),
        ]
    findings = [Finding(True, f"its keeper on {mirror.master} answers", f"it fetches {source_words(mirror)}")]
    findings.append(Finding(found.committed is not None, committed_words(found), generations_words(found)))
    findings += [Finding(False, "alarm", words) for words in found.alarms]
    findings += [Finding(None, "runs are held", words) for words in held_words(found)]
    findings += [Finding(None, "as it began", words) for words in found.notes]
    for node in mirror.nodes:
        each = found.nodes.get(node)
        heard = each if each is not None and each.heard is not None and each.heard <= UNHEARD else None
        findings.append(
            Finding(
                heard is not None and serves(heard),
                f"{node} {node_words(heard)}" if heard is not None else _unheard(node, each),
                " ".join(found.troubles.get(node, "").split()),
            )
        )
    findings += _runs(scope, host, mirror)
    if words := next_words(found, host.clock.now()):
        findings.append(Finding(None, words))
    return findings


def _unheard(node: str, last: NodeStatus | None) -> str:
    if last is None or last.heard is None:
        return f"{node} is not heard"
    return f"{node} is not heard for {last.heard:.0f} s; then it {node_words(last)}"


def _runs(scope: Scope, host: Host, mirror: ResolvedMirror) -> Iterable[Finding]:
    try:
        runs = operations.log(scope, mirror.name, host, last=_RUNS, patience=PATIENCE)
    except LbkitError as error:
        return [Finding(None, "its last runs are not known", error.found or error.wanted)]
    return [
        Finding(
            None if run.came in {"running", "paused"} else run.came not in FAILED,
            f"run {run.id} {run.came}",
            run_words(run),
        )
        for run in runs
    ]


def _silent_node(seen: Seen, node: str) -> Finding:
    said = seen.verdicts.get(node)
    return Finding(said == "ready up", f"{node} tells HAProxy {said or 'nothing: its agent does not answer'}")


def _of_node(seen: Seen, node: str) -> list[Finding]:
    """Why it serves or is drained, with the numbers that decide it."""
    mirror, found = seen.mirror, seen.status
    if found is None:
        away = Finding(
            False, f"the keeper on {mirror.master} does not {'run' if seen.away else 'answer'}", seen.why
        )
        return [away, _silent_node(seen, node)]
    each = found.nodes.get(node)
    trouble = " ".join(found.troubles.get(node, "").split())
    if each is None or each.heard is None:
        return [
            Finding(
                False,
                "the keeper has not heard it since it runs",
                trouble or f"`lbkit explain {node}/{mirror.node}` says how its agent is",
            ),
            Finding(None, committed_words(found)),
        ]
    fresh = mirror.declared.freshness
    findings = [
        Finding(each.heard <= UNHEARD, f"the keeper heard it {each.heard:.1f} s ago", trouble),
        Finding(
            each.serving != 0,
            f"it serves generation {each.serving}" if each.serving else "it has nothing to serve yet",
            "it has " + (", ".join(sorted(each.has, key=int)) or "none"),
        ),
    ]
    if each.behind is None:
        findings.append(
            Finding(None, "nothing is committed that it could be behind", generations_words(found))
        )
    else:
        behind = max(0, each.behind)
        findings.append(
            Finding(
                behind <= fresh.max_lag,
                f"it is {behind if behind < ENDLESS else 'many'} generations behind the committed one",
                f"freshness.max_lag is {fresh.max_lag}; {committed_words(found)}",
            )
        )
    told = {"ready": "it may serve", "drain": "it is drained", None: "which verdict it has is not known"}
    if each.heard <= UNHEARD:
        findings.append(
            Finding(serves(each), told.get(each.told, str(each.told)), _why(each, fresh.max_lag, found))
        )
    else:
        words = f"whether it serves is not known: its last verdict was {each.told or 'not known either'}"
        findings.append(Finding(None, words, f"`lbkit explain {node}/{mirror.node}` says how its agent is"))
    if each.busy is not None:
        findings.append(Finding(None, f"it gets a generation from {each.busy or mirror.master} now"))
    if each.verify:
        damaged, left = each.verify.get("damaged") or 0, each.verify.get("left") or 0
        evidence = f"generation {each.verify.get('serial')}, {each.verify.get('files')} files read"
        words = f"its last verification found {damaged} damaged files"
        findings.append(
            Finding(not left, f"{words} and mended {damaged - left}" if damaged else words, evidence)
        )
    return findings


def _why(node: NodeStatus, max_lag: int, found: MirrorStatus) -> str:
    if node.told == "ready":
        if (node.behind or 0) > max_lag:
            return "freshness.floor: too few are fresh, and it is the freshest of the others"
        return ""
    if not node.serving:
        return "it has nothing yet"
    if node.behind is None:
        return "nothing is committed"
    if node.behind > max_lag:
        return "it serves what is too old, or gets what comes next"
    newest = found.newest
    if newest is not None and found.committed is not None and newest["serial"] != found.committed["serial"]:
        return f"{newest['serial']} is about to be committed, and it has that not yet"
    return "the next word of the keeper will be another"
