"""A stdout callback for tests: every task's result and the recap as one JSON document."""

from __future__ import annotations

import json
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: lbkit_json
type: stdout
short_description: Results as one JSON document, for tests
description: [Results as one JSON document.]
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "lbkit_json"

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[dict[str, Any]] = []

    def _keep(self, result: Any, outcome: str) -> None:
        shown = json.loads(json.dumps(result.result, default=str))
        host, task = result.host.get_name(), result.task.get_name()
        self.tasks.append({"host": host, "task": task, "outcome": outcome, "result": shown})

    def v2_runner_on_ok(self, result: Any) -> None:
        self._keep(result, "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: FBT001, FBT002 - Ansible's
        self._keep(result, "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._keep(result, "unreachable")

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._keep(result, "skipped")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        recap = {host: stats.summarize(host) for host in stats.processed}
        self._display.display(json.dumps({"tasks": self.tasks, "recap": recap}))
