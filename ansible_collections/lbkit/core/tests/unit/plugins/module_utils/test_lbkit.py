# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from lbkit import Failure, Host, Mistake

from ansible_collections.lbkit.core.plugins.module_utils import _lbkit
from ansible_collections.lbkit.core.tests.unit.plugins.module_utils.fake import Ended, FakeModule

DEFINITION = {"lbkit": 1, "name": "unit", "networks": {"in": {"cidr": "10.9.0.0/24"}}}


def ended(module, run):
    with pytest.raises(Ended) as raised:
        _lbkit.finish(module, run)
    return raised.value.told


def test_what_a_module_returns_is_its_result():
    assert ended(FakeModule(), lambda module: {"status": []}) == {"changed": False, "status": []}
    assert ended(FakeModule(), lambda module: {"changed": True}) == {"changed": True}


def test_without_the_library_the_task_says_what_to_install(monkeypatch):
    monkeypatch.setattr(_lbkit, "lbkit", None)
    monkeypatch.setattr(_lbkit, "LBKIT_IMPORT_ERROR", "no module", raising=False)
    told = ended(FakeModule(), lambda module: pytest.fail("nothing runs without it"))
    assert told["failed"]
    assert "lbkit-iac" in told["msg"]


def test_an_error_of_the_library_fails_the_task_with_its_fields():
    def run(module):
        raise Mistake("a port was to be given", found="nothing", where="web.yml:3", remedy="say one")

    told = ended(FakeModule(), run)
    assert told["failed"]
    assert told["changed"] is False
    assert told["msg"] == "web.yml:3: a port was to be given\n  found: nothing\n  to do: say one"
    assert told["error"]["remedy"] == "say one"


def test_what_was_done_before_an_error_counts_as_changed():
    class Stopped(Failure):
        def as_data(self):
            return {**super().as_data(), "done": ["create machine web-1"]}

    def run(module):
        raise Stopped("it was to go on")

    assert ended(FakeModule(), run)["changed"] is True


def test_a_bug_is_not_passed_over():
    with pytest.raises(ZeroDivisionError):
        _lbkit.finish(FakeModule(), lambda module: 1 / 0)


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("30", 30), ("30s", 30), ("2m", 120), ("1h", 3600)])
def test_how_long_to_wait_is_a_duration(text, seconds):
    assert _lbkit.wait_of(FakeModule(lock_timeout=text), "lock_timeout") == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "1 fortnight"])
def test_what_is_no_duration_fails_the_task(text):
    with pytest.raises(Ended) as raised:
        _lbkit.wait_of(FakeModule(wait=text), "wait")
    assert raised.value.told["msg"].startswith("wait was to be ")
    assert repr(text) in raised.value.told["msg"]


def test_a_topology_comes_from_the_task_or_from_a_file(tmp_path):
    params = {"file": None, "definition": DEFINITION, "folder": str(tmp_path), "run_dir": None}
    scope, host = _lbkit.scope_and_host(FakeModule(**params))
    assert scope.name == "unit"
    assert host.run_dir == Host().run_dir

    file = tmp_path / "unit.yml"
    file.write_text("lbkit: 1\nname: other\n")
    params = {"file": str(file), "definition": None, "folder": None, "run_dir": str(tmp_path)}
    scope, host = _lbkit.scope_and_host(FakeModule(**params))
    assert scope.name == "other"
    assert host.run_dir == tmp_path


def test_a_difference_is_told_where_it_is_asked_for(tmp_path):
    from lbkit import load_data, plan

    planned = plan(load_data(DEFINITION, tmp_path), Host(run_dir=tmp_path), only=["network/in"])
    plain = _lbkit.result_of(FakeModule(), planned, "now", "then", status=[])
    assert set(plain) == {"changed", "plan", "status"}
    assert plain["changed"] is bool(plain["plan"]["changes"]) is True
    told = _lbkit.result_of(FakeModule(diff=True), planned, "now", "then")["diff"]
    assert (told["before_header"], told["after_header"], told["before"]) == ("now", "then", "")
    assert "network in:" in told["after"]


def test_nobody_follows_a_task_that_is_not_told_to_tell():
    with _lbkit.following(FakeModule(progress_file=None)) as follow:
        from lbkit.image.progress import Step

        follow.step(Step("copy"))
