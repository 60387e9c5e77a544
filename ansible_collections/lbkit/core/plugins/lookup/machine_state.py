# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: machine_state
short_description: How machines of a topology are now
description:
  - Looks where Ansible runs, or by libvirt, as C(lbkit status) does there, and changes nothing.
  - For a topology that stands on another host there is M(lbkit.core.topology_info).
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.lookup
options:
  _terms:
    description: Machines, or groups of them.
    type: list
    elements: str
    required: true
  run_dir:
    description: Where lbkit keeps what runs, as its modules were told.
    type: str
    default: /run/lbkit
    vars:
      - name: lbkit_run_dir
seealso:
  - module: lbkit.core.topology_info
  - plugin: lbkit.core.address
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Go on only where all web servers stand
  ansible.builtin.assert:
    that: query('lbkit.core.machine_state', 'web', source='web.yml') | selectattr('health', 'ne', 'up') | length == 0

- name: Say why a service is down
  ansible.builtin.debug:
    msg: "{{ lookup('lbkit.core.machine_state', 'web-1', source='web.yml').services.app.detail }}"
"""

RETURN = r"""
_list:
  description: One of each machine, in the order of the terms.
  type: list
  elements: dict
  contains:
    name:
      description: The machine's name.
      type: str
      sample: web-1
    present:
      description: Whether it stands as declared.
      type: bool
    health:
      description: Whether it works, V(up), V(degraded), V(down) or V(unknown).
      type: str
    detail:
      description: In words.
      type: str
    facts:
      description: The numbers behind it, such as its driver and its addresses by network.
      type: dict
    services:
      description: Its services by their names, each with C(present), C(health), C(detail) and C(facts).
      type: dict
"""

from pathlib import Path

from ansible.plugins.lookup import LookupBase

from ansible_collections.lbkit.core.plugins.plugin_utils import _lookup


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        with _lookup.failing():
            from lbkit import Host
            from lbkit.faces.machine_states import machine_states

            host = Host(run_dir=Path(self.get_option("run_dir")))
            return machine_states(_lookup.scope_of(self), [str(term) for term in terms], host)
