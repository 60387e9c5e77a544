# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action.normal import ActionModule as NormalAction

from ansible_collections.lbkit.core.plugins.plugin_utils import _progress
from ansible_collections.lbkit.core.plugins.plugin_utils._progress import ProgressAction, Reader

LINE = json.dumps({"line": 1, "seconds": 0.1, "key": "a", "state": "begins", "text": "create a"})


class Beside:
    """Another connection, that notes what runs there. `answers` by the first word of a command."""

    def __init__(self, **answers):
        self.answers = {"tail": LINE, **answers}
        self.commands = []
        self.closed = 0
        shell = SimpleNamespace(get_option={"system_tmpdirs": ["/var/tmp", "/t"]}.__getitem__)
        self._connection = SimpleNamespace(_shell=shell, close=self._close)

    def _close(self):
        self.closed += 1

    def _low_level_execute_command(self, command):
        self.commands.append(command)
        answer = self.answers.get(command.split()[0], "")
        if isinstance(answer, Exception):
            raise answer
        return {"rc": int(answer is None), "stdout": answer or "", "stderr": ""}


@pytest.fixture
def shown(monkeypatch):
    lines = []

    class Display:
        def display(self, text, **how):
            assert how["stderr"], "the output may be JSON"
            lines.append(text)

        def vv(self, text, host):
            lines.append(f"vv {text}")

    monkeypatch.setattr(_progress, "Display", Display)
    return lines


def read(beside, monkeypatch, *, first=0.0):
    monkeypatch.setattr(_progress, "FIRST", first)
    monkeypatch.setattr(_progress, "EVERY", 0.0)
    reader = Reader(beside, "host")
    with reader:
        if not first:
            until_looked_at(beside)
    return reader


def until_looked_at(beside):
    for thread in _progress.threading.enumerate():
        if thread.name == "lbkit-progress":
            while thread.is_alive() and not any(each.startswith("tail") for each in beside.commands):
                thread.join(0.01)


def test_it_makes_reads_and_removes_a_folder_that_nobody_knew(shown, monkeypatch):
    beside = Beside()
    reader = read(beside, monkeypatch)
    made, looked, removed = beside.commands[0], beside.commands[1:-1], beside.commands[-1]
    folder = reader.file.rpartition("/")[0]
    assert folder.startswith("/t/lbkit-")
    assert len(folder) == len("/t/lbkit-") + 32
    assert made == f"umask 077 && mkdir {folder} && : > {reader.file}"
    assert looked[0] == f"tail -n +1 {reader.file}"
    assert set(looked[1:]) <= {f"tail -n +2 {reader.file}"}
    assert removed == f"rm -rf {folder}"
    assert shown == ["progress: [host] 0.1 s: create a begins"]
    assert beside.closed == 1
    assert Reader(Beside(), "host").file != reader.file


def test_a_short_task_makes_nothing(shown, monkeypatch):
    beside = Beside()
    read(beside, monkeypatch, first=60.0)
    assert not beside.commands
    assert not shown


@pytest.mark.parametrize("error", [AnsibleConnectionFailure("gone"), AnsibleError("no"), OSError("no"), None])
def test_what_goes_wrong_is_said_and_the_folder_is_removed(shown, monkeypatch, error):
    beside = Beside(tail=error)
    read(beside, monkeypatch)
    assert beside.commands[-1].startswith("rm -rf /t/lbkit-")
    assert len(shown) == 1
    assert shown[0].startswith("vv no more progress is shown: ")
    assert beside.closed == 1


def test_where_the_folder_cannot_be_made_none_is_removed(shown, monkeypatch):
    beside = Beside(umask=None, tail=None)
    monkeypatch.setattr(_progress, "FIRST", 0.0)
    reader = Reader(beside, "host")
    reader._read()
    assert len(beside.commands) == 1


class Task(SimpleNamespace):
    def __init__(self, **more):
        said = {
            "check_mode": False,
            "async_val": 0,
            "no_log": False,
            "delegate_to": None,
            "args": {"file": "a"},
        }
        super().__init__(**{**said, **more})


@pytest.fixture
def action(monkeypatch):
    """An action whose module notes its arguments, and tells them as Ansible's do."""
    monkeypatch.setattr(_progress, "FIRST", 60.0)
    monkeypatch.delenv("LBKIT_PROGRESS", raising=False)
    monkeypatch.setattr(_progress, "TERMINAL", True)

    def ran(self, module_args=None, **more):
        self.given = module_args
        return {"changed": True, "invocation": {"module_args": dict(module_args or {})}}

    monkeypatch.setattr(NormalAction, "_execute_module", ran)
    monkeypatch.setattr(ProgressAction, "_beside", lambda self: Beside())
    made = ProgressAction.__new__(ProgressAction)
    made._task = Task()
    made._templar = SimpleNamespace(template=lambda value: value)
    made._display = SimpleNamespace(vv=lambda words: None)
    return made


def test_the_module_is_told_where_and_its_result_does_not_show_it(action):
    result = action._execute_module(task_vars={"inventory_hostname": "host"})
    assert action.given["file"] == "a"
    assert action.given["progress_file"].startswith("/t/lbkit-")
    assert result == {"changed": True, "invocation": {"module_args": {"file": "a", "progress_file": None}}}
    assert "progress_file" not in action._task.args


@pytest.mark.parametrize("how", [{"check_mode": True}, {"async_val": 60}, {"no_log": True}])
def test_nothing_is_shown_of_such_a_task(action, how):
    action._task = Task(**how)
    action._execute_module(task_vars={})
    assert action.given is None, "the module runs as it always does"


@pytest.mark.parametrize(
    ("variable", "environment", "terminal", "wanted"),
    [
        (None, None, True, True),
        (None, None, False, False),
        (None, "1", False, True),
        (None, "no", True, False),
        (None, "", True, True),
        (True, "no", False, True),
        ("false", "yes", True, False),
    ],
)
def test_a_variable_goes_before_the_environment_and_that_before_the_terminal(
    action, monkeypatch, variable, environment, terminal, wanted
):
    monkeypatch.setattr(_progress, "TERMINAL", terminal)
    if environment is not None:
        monkeypatch.setenv("LBKIT_PROGRESS", environment)
    variables = {} if variable is None else {"lbkit_progress": variable}
    assert action._wanted(variables) is wanted


def test_a_task_runs_where_there_is_no_second_connection(action, monkeypatch):
    def no(self):
        raise AnsibleError("no such plugin")

    monkeypatch.setattr(ProgressAction, "_beside", no)
    assert action._execute_module(task_vars={})["changed"]
    assert action.given is None
