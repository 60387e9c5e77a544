# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: guest_agent
short_description: Run tasks inside a virtual machine by its QEMU guest agent
description:
  - Runs commands in a machine whose driver is C(libvirt), and copies files to and from it, through libvirt and the QEMU
    guest agent. The guest needs no network, no SSH and no key for it.
  - Finds the machine's domain by lbkit's owner mark. Of several generations it takes the newest that runs.
  - Output and files of any size go through. Commands start in C(/).
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.machine
  - ansible.builtin.connection_pipelining
options:
  libvirt_uri:
    description:
      - Where libvirt is that the machine runs on.
      - P(lbkit.core.topology#inventory) sets it, from the topology's C(hosts).
    type: str
    default: qemu:///system
    vars:
      - name: lbkit_libvirt_uri
  agent_timeout:
    description:
      - Seconds that the agent gets for each answer. One that stays away makes the host unreachable.
      - As long is waited for it at first. A guest that has just come up may not have started it yet.
      - It does not limit how long a command may run.
    type: int
    default: 10
    vars:
      - name: lbkit_agent_timeout
  command_timeout:
    description:
      - Seconds after which a command, and all that it started, is killed and the task fails.
      - V(0) waits as long as the agent answers.
    type: int
    default: 0
    vars:
      - name: lbkit_command_timeout
requirements:
  - libvirt-python, for the Python that runs Ansible
  - qemu-guest-agent in the guest, with C(guest-exec) allowed, and a POSIX shell
notes:
  - Each command takes about 0.1 s, under QEMU's own emulation more. C(pipelining) saves several for each task.
seealso:
  - plugin: lbkit.core.topology
    plugin_type: inventory
  - plugin: lbkit.core.netns
    plugin_type: connection
"""

EXAMPLES = r"""
# An inventory without the inventory plugin:
lb-1:
  ansible_connection: lbkit.core.guest_agent
  ansible_python_interpreter: /usr/bin/python3
  ansible_pipelining: true
  lbkit_topology: web
  lbkit_member: lb-1
  lbkit_libvirt_uri: qemu+ssh://root@host.example.org/system
"""

from contextlib import ExitStack

from ansible_collections.lbkit.core.plugins.plugin_utils._machine import MachineConnection


class Connection(MachineConnection):
    transport = "lbkit.core.guest_agent"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._open = ExitStack()

    def _reach(self):
        from lbkit.machine.libvirt.agent import ENVIRONMENT, GuestAgent
        from lbkit.machine.libvirt.standing import standing

        domain = self._open.enter_context(standing(self.get_option("libvirt_uri"), *self._machine()))
        self._agent = GuestAgent(domain, patience=self.get_option("agent_timeout"))
        self._agent.await_start()
        return ENVIRONMENT["USER"]

    def _run(self, argv, in_data):
        done = self._agent.execute(argv, stdin=in_data, timeout=self.get_option("command_timeout") or None)
        return done.returncode, done.stdout, done.stderr

    def _put(self, stream, path):
        self._agent.write(path, stream, mode=0o600)

    def _fetch(self, path, stream):
        return self._agent.fetch(path, stream)

    def _lost(self, error):
        from lbkit.machine.libvirt.agent_call import AgentSilent

        return isinstance(error, AgentSilent)

    def close(self):
        self._open.close()
        super().close()
