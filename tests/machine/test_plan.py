"""The decisions about services and machines: pure, so every combination is tried."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.host import Host
from lbkit.base.secrets import Secret
from lbkit.engine.change import Action, Impact
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.machine.contract import NEVER_STARTED, FoundFile
from lbkit.machine.netns.plan import judge
from lbkit.machine.plan import (
    SHORT,
    UNSEEN,
    desired_services,
    differing_parts,
    digest_of,
    file_found,
    file_wanted,
    judge_service,
    needs_restart,
    service_state,
    stale,
)
from lbkit.machine.resolved import ResolvedFile, ResolvedService
from tests.machine.world import machine, scope_of, service, text

KEY = Key("service", "m/app")

contents = st.binary(max_size=8)
files = st.builds(
    ResolvedFile,
    st.one_of(contents, contents.map(Secret)),
    st.sampled_from([0o644, 0o600]),
    st.booleans(),
)
services = st.builds(
    ResolvedService,
    name=st.just("app"),
    command=st.tuples(st.sampled_from(["a", "b"])),
    environment=st.dictionaries(st.sampled_from("AB"), st.sampled_from("12"), max_size=2),
    files=st.dictionaries(st.sampled_from(["f", "g"]), files, max_size=2),
    reload=st.sampled_from([None, "HUP", ("reload", "it")]),
    stop_timeout=st.sampled_from([1.0, 2.0]),
)
users = st.sampled_from([None, "nobody"])


def wanted(each: ResolvedService, user: str | None = None) -> Desired:
    return Desired(KEY, service_state(each, user))


def found(each: ResolvedService, user: str | None = None, *, like: ResolvedService | None = None) -> Actual:
    """As observed right after `each` was carried out; files in the terms of what is declared by now."""
    declared = (like or each).files
    state: dict[str, Any] = service_state(each, user)
    del state["reload"]
    state["files"] = {
        path: file_found(
            FoundFile(
                file.content.reveal() if isinstance(file.content, Secret) else file.content, file.mode, user
            ),
            declared.get(path),
        )
        for path, file in each.files.items()
        if path in declared or not file.once
    }
    return Actual(KEY, state, "web")


@given(services, users)
def test_what_was_carried_out_is_as_wanted(each: ResolvedService, user: str | None) -> None:
    assert judge_service(wanted(each, user), found(each, user)) is None


@given(services, services, users)
def test_any_difference_is_a_change_with_its_least_impact(
    before: ResolvedService, after: ResolvedService, user: str | None
) -> None:
    want, have = wanted(after, user), found(before, user, like=after)
    verdict = judge_service(want, have)
    same_program = (before.command, before.environment) == (after.command, after.environment)
    if not same_program:
        assert verdict is not None
        assert verdict.impact is Impact.DISRUPTIVE
        assert needs_restart(want.state, have.state)
    elif differing_parts(want.state, have.state):
        assert verdict is not None
        assert verdict.impact is (Impact.DISRUPTIVE if after.reload is None else Impact.RELOAD)
        assert needs_restart(want.state, have.state) == (after.reload is None)
    if before == after:
        assert verdict is None


@given(services)
def test_a_process_whose_files_may_have_changed_is_never_as_wanted(each: ResolvedService) -> None:
    have = found(each)
    digest = have.state["digest"]
    verdict = judge_service(wanted(each), replace(have, state={**have.state, "digest": stale(digest)}))
    assert verdict is not None
    assert verdict.impact is (Impact.DISRUPTIVE if each.reload is None else Impact.RELOAD)


@given(services)
def test_what_does_not_run_costs_nobody_anything_to_start(each: ResolvedService) -> None:
    state = {**found(each).state, "running": False, "trouble": "it died", "log": ["a", "b"]}
    verdict = judge_service(wanted(each), Actual(KEY, state, "web"))
    assert verdict is not None
    assert (verdict.action, verdict.impact, verdict.reason) == (
        Action.RESTART,
        Impact.NONE,
        "it died; its log ends: b",
    )


def test_a_start_that_was_not_seen_through_is_no_restart() -> None:
    each = service()
    have = found(each)
    verdict = judge_service(
        wanted(each), replace(have, state={**have.state, "digest": digest_of(each, None) + UNSEEN})
    )
    assert verdict is not None
    assert verdict.impact is Impact.NONE


def test_one_without_a_record_may_still_run() -> None:
    state = {"command": None, "environment": None, "user": None, "files": {}, "running": False, "digest": ""}
    for trouble, impact in ((NEVER_STARTED, Impact.NONE), ("its record cannot be read", Impact.DISRUPTIVE)):
        verdict = judge_service(wanted(service()), Actual(KEY, {**state, "trouble": trouble}, "web"))
        assert verdict is not None
        assert verdict.impact is impact


def test_a_plan_shows_text_that_is_short_and_no_secret() -> None:
    assert file_wanted(text("short"), None)["text"] == "short"
    for content in (b"\xff", b"a\0b", b"x" * (SHORT + 1), Secret(b"short")):
        assert "text" not in file_wanted(ResolvedFile(content, 0o644), None)
    assert "text" not in file_found(FoundFile(b"was it a secret?", 0o644, None), None)


def test_a_service_stands_on_its_machine() -> None:
    scope = scope_of("web", machine("m", service("app")))
    (want,) = desired_services(scope, Host(run_dir=Path("/nonexistent")))
    assert (want.key, want.requires) == (KEY, {Key("machine", "m")})


def test_what_of_a_machine_differs_is_named_with_its_impact() -> None:
    front = {"up": True, "addresses": ["10.0.0.2/24"]}
    want = Desired(Key("machine", "m"), {"driver": "netns", "interfaces": {"front": front}, "routes": ["a"]})

    def verdict(**state: object) -> tuple[str, Impact] | None:
        judged = judge(want, Actual(want.key, {**want.state, **state}, "web"))
        return judged and (judged.reason, judged.impact)

    assert verdict() is None
    assert verdict(interfaces={}) == ("interfaces front missing", Impact.NONE)
    assert verdict(interfaces={"front": {**front, "up": False}}) == (
        "interfaces front not as declared",
        Impact.DISRUPTIVE,
    )
    assert verdict(interfaces={"front": front, "old": front}) == (
        "interfaces old not as declared",
        Impact.DISRUPTIVE,
    )
    assert verdict(routes=["b"]) == ("routes not as declared", Impact.DISRUPTIVE)
    assert verdict(namespace=None) == ("its files are there, but it is not", Impact.NONE)
