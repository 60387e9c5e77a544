# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows a long task as it goes. Private to this collection.

The module appends to a file on its host what it does (progress_file); a thread here makes that file, reads it by a connection of
its own, and removes it. A task that ends within the first second makes none.
"""

from __future__ import annotations

import copy
import os
import secrets
import sys
import threading
import time

from ansible import constants
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.plugins.loader import become_loader, connection_loader
from ansible.utils.display import Display

from ansible_collections.lbkit.core.plugins.plugin_utils._told import Story

OPTION = "progress_file"
VARIABLE = "lbkit_progress"

FIRST = 1.0  # seconds until there is something to be shown at all
EVERY = 1.0  # seconds between two looks; where a look is slow, so much more that it takes a tenth of the time
PATIENCE = 10.0  # seconds for the last look and for removing the file

# Ansible imports this before it forks the workers that run tasks: those have no terminal.
TERMINAL = sys.stderr is not None and sys.stderr.isatty()


class ProgressAction(NormalAction):
    """Of a module that takes `progress_file`: runs it as any module is run, and shows how it goes."""

    def _execute_module(self, module_args=None, **more):
        story = self._reader(more.get("task_vars") or {})
        if story is None:
            return super()._execute_module(module_args=module_args, **more)
        args = {**(self._task.args if module_args is None else module_args), OPTION: story.file}
        with story:
            result = super()._execute_module(module_args=args, **more)
        told = result.get("invocation", {}).get("module_args", {})
        if OPTION in told:
            told[OPTION] = None  # as it is where nothing is shown
        return result

    def _reader(self, variables):
        """None where nothing is to be shown, or nothing can be."""
        task = self._task
        if task.check_mode or task.async_val or task.no_log or not self._wanted(variables):
            return None
        try:
            beside = self._beside()
        except (AnsibleError, KeyError) as error:
            self._display.vv(f"the task shows no progress: {error}")
            return None
        host = variables.get("inventory_hostname", "")
        if task.delegate_to:
            host += f" -> {task.delegate_to}"
        return Reader(beside, host)

    def _wanted(self, variables):
        said = self._templar.template(variables[VARIABLE]) if VARIABLE in variables else None
        if said is None:
            said = os.environ.get("LBKIT_PROGRESS") or TERMINAL
        return boolean(said)

    def _beside(self):
        """This action with a connection of its own, so that commands of it and of this one go at the same time."""
        first = self._connection
        second = connection_loader.get(
            first.ansible_name, copy.copy(self._play_context), shell=copy.copy(first._shell),
            task_uuid=self._task._uuid, ansible_playbook_pid=str(os.getppid()),
        )  # fmt: skip
        second.set_options(direct=first.get_options())
        if first.become:
            become = become_loader.get(first.become.ansible_name)
            become.set_options(direct=first.become.get_options())
            second.set_become_plugin(become)
        return NormalAction(
            self._task, second, self._play_context, self._loader, self._templar, self._shared_loader_obj
        )


class Reader:
    """While it is entered, what the module tells is shown. Whatever goes wrong with that is said with -vv and does no harm."""

    def __init__(self, beside, host):
        self._beside = beside
        self._host = host
        folders = beside._connection._shell.get_option("system_tmpdirs")
        self._folder = f"{folders[-1]}/lbkit-{secrets.token_hex(16)}"
        self.file = f"{self._folder}/progress"
        self._story = Story()
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name="lbkit-progress", daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self._ended.set()
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self._say(f"{self._folder} may be left on {self._host}: it does not answer")

    def _read(self):
        if self._ended.wait(FIRST):
            return
        try:
            # Nobody knew the name before it is there, so nobody can have made it.
            self._run(f"umask 077 && mkdir {self._folder} && : > {self.file}")
            try:
                self._look_on()
            finally:
                self._run(f"rm -rf {self._folder}")
        except (AnsibleError, OSError) as error:
            self._say(f"no more progress is shown: {error}")
        finally:
            self._beside._connection.close()

    def _look_on(self):
        """Until the task has ended, and once after that."""
        wait = EVERY / 2
        while True:
            last = self._ended.wait(wait)
            began = time.monotonic()
            told = self._run(f"tail -n +{self._story.seen + 1} {self.file}")
            for line in self._story.look(told, time.monotonic() - self._began):
                Display().display(
                    f"progress: [{self._host}] {line}", color=constants.COLOR_VERBOSE, stderr=True
                )
            if last:
                return
            wait = max(EVERY, 9 * (time.monotonic() - began))

    def _run(self, command):
        done = self._beside._low_level_execute_command(command)
        if done["rc"]:
            raise AnsibleError(f"`{command}` returned {done['rc']}: {done['stderr'].strip()}")
        return done["stdout"]

    def _say(self, words):
        Display().vv(words, host=self._host)
