# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ways to lbkit's machines have in common. Private to this collection."""

from __future__ import annotations

import os
from contextlib import contextmanager

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.connection import ConnectionBase

from ansible_collections.lbkit.core.plugins.plugin_utils._library import failing


class MachineConnection(ConnectionBase):
    """Who becomes another user here is root, whom nobody asks for a password: `become` needs nothing of a connection.

    Those that derive from it say `_reach` (raise unless the machine answers), `_run`, `_put` and `_fetch`, and by `_lost`
    which failures of these mean that the machine is out of reach: others are the task's.
    """

    has_pipelining = True
    has_tty = False

    def _connect(self):
        if not self._connected:
            self._say("CONNECT")
            with failing(lambda words, _: AnsibleConnectionFailure(words)):
                self._play_context.remote_user = self._reach()
            self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):  # noqa: FBT002 - Ansible's
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        self._say(f"EXEC {to_text(cmd)}")
        with failing(self._kind):
            return self._run([self.get_option("executable"), "-c", to_text(cmd)], in_data or b"")

    def put_file(self, in_path, out_path):
        super().put_file(in_path, out_path)
        self._say(f"PUT {in_path} TO {out_path}")
        if not os.path.exists(to_bytes(in_path)):
            raise AnsibleFileNotFound(f"file or module does not exist: {in_path}")
        with open(to_bytes(in_path), "rb") as stream, failing(self._kind):
            self._put(stream, to_text(out_path))

    def fetch_file(self, in_path, out_path):
        super().fetch_file(in_path, out_path)
        self._say(f"FETCH {in_path} TO {out_path}")
        with _whole(out_path) as stream, failing(self._kind):
            there = self._fetch(to_text(in_path), stream)
            if not there:
                raise AnsibleFileNotFound(f"file does not exist: {in_path}")

    def reset(self):
        self.close()
        self._connect()

    def close(self):
        self._connected = False

    def _kind(self, words, error):
        return (AnsibleConnectionFailure if self._lost(error) else AnsibleError)(words)

    def _machine(self):
        return self.get_option("topology"), self.get_option("member")

    def _say(self, words):
        self._display.vvv(words, host=self._play_context.remote_addr)


@contextmanager
def _whole(path):
    """A file to write into that is removed again unless all goes well."""
    try:
        with open(to_bytes(path), "wb") as stream:
            yield stream
    except OSError as error:
        os.unlink(path)
        raise AnsibleError(f"cannot write {path}: {error.strerror}") from error
    except BaseException:
        os.unlink(path)
        raise
