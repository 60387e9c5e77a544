# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: netns
short_description: Run tasks inside a machine that is a network namespace
description:
  - Runs commands on the controller, inside the network of a machine whose driver is C(netns).
  - Network, and C(/sys) with its links, are the machine's. Files, users and processes are the controller's own,
    and those of all machines of this driver. What one task installs or writes, all of them have.
  - Commands start in the machine's own folder, C(/run/lbkit/TOPOLOGY/machines/MEMBER), or in C(/) where nothing of lbkit's
    runs on it.
  - They get C(PATH), C(LANG), C(HOME) and the user's name, and nothing else of the controller's environment.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.machine
  - ansible.builtin.connection_pipelining
options:
  run_dir:
    description: Where lbkit keeps what runs, as its modules were told.
    type: path
    default: /run/lbkit
    vars:
      - name: lbkit_run_dir
requirements:
  - iproute2 on the controller
notes:
  - Ansible runs as root on the host of the topology, or inside the sandbox that the topology stands in.
seealso:
  - plugin: lbkit.core.topology
    plugin_type: inventory
  - plugin: lbkit.core.guest_agent
    plugin_type: connection
"""

EXAMPLES = r"""
# An inventory without the inventory plugin:
web-1:
  ansible_connection: lbkit.core.netns
  ansible_python_interpreter: "{{ ansible_playbook_python }}"
  lbkit_topology: web
  lbkit_member: web-1
"""

import os
import shutil
import subprocess
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_bytes

from ansible_collections.lbkit.core.plugins.plugin_utils._machine import MachineConnection


class Connection(MachineConnection):
    transport = "lbkit.core.netns"

    def _reach(self):
        return self._inside([]).environment["USER"]

    def _run(self, argv, in_data):
        inside = self._inside(argv)
        done = subprocess.run(
            inside.argv,
            input=in_data,
            capture_output=True,
            cwd=inside.folder,
            env=inside.environment,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def _put(self, stream, path):
        try:
            with open(to_bytes(self._absolute(path)), "wb") as copy:
                shutil.copyfileobj(stream, copy)
        except OSError as error:
            raise AnsibleError(f"cannot write {path}: {error.strerror}") from error

    def _fetch(self, path, stream):
        try:
            with open(to_bytes(self._absolute(path)), "rb") as found:
                shutil.copyfileobj(found, stream)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise AnsibleError(f"cannot copy {path}: {error.strerror}") from error
        return True

    def _lost(self, error):
        return True  # the library is only asked how to go there

    def _absolute(self, path):
        return os.path.join(self._inside([]).folder, path)

    def _inside(self, argv):
        from lbkit import Host
        from lbkit.machine.netns.inside import inside

        return inside(Host(run_dir=Path(self.get_option("run_dir"))), *self._machine(), argv)
