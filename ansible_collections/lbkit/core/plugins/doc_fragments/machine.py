# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  topology:
    description:
      - The name of the topology that the machine is of.
      - P(lbkit.core.topology#inventory) sets it.
    type: str
    required: true
    vars:
      - name: lbkit_topology
  member:
    description:
      - The machine's name in the topology.
      - P(lbkit.core.topology#inventory) sets it.
    type: str
    required: true
    vars:
      - name: lbkit_member
  executable:
    description: The shell that runs what Ansible asks for.
    type: str
    default: /bin/sh
    vars:
      - name: ansible_executable
requirements:
  - lbkit-iac, for the Python that runs Ansible
notes:
  - The user is root, whatever C(remote_user) says. C(become) makes another one of it, and never needs a password.
"""
