# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: address
short_description: Addresses of machines and load balancers, as a topology allocates them
description:
  - Reads the topology alone. Nothing need stand, and nothing is asked for.
  - The same topology always gives the same addresses.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.lookup
options:
  _terms:
    description:
      - What has the addresses, each as V(NAME) of a machine, a group of machines, a load balancer or a mirror, or as V(NAME/NETWORK) for
        those on one network.
      - A load balancer has its virtual address, or those of its machines where it has none.
      - Where several things have one name, V(machines.NAME), V(load_balancers.NAME) and V(mirrors.NAME) tell them apart.
    type: list
    elements: str
    required: true
  every:
    description:
      - With V(true) all addresses of each machine.
      - With V(false) its first.
    type: bool
    default: false
  prefix:
    description: With the length of the network's prefix, as in V(10.80.1.2/24).
    type: bool
    default: false
  family:
    description: Which addresses count.
    type: str
    choices: [any, ipv4, ipv6]
    default: any
seealso:
  - plugin: lbkit.core.machine_state
    plugin_type: lookup
  - plugin: lbkit.core.topology
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Ask the load balancer
  ansible.builtin.uri:
    url: "http://{{ lookup('lbkit.core.address', 'shop', source='web.yml') }}/"

- name: Let all web servers in
  ansible.builtin.lineinfile:
    path: /etc/hosts.allow
    line: "postgres: {{ query('lbkit.core.address', 'web/back', source='web.yml') | join(' ') }}"

- name: Say the topology once
  vars:
    lbkit_source: /etc/lbkit/web.yml
  ansible.builtin.debug:
    msg: "{{ lookup('lbkit.core.address', 'db-1/back', prefix=true) }}"
"""

RETURN = r"""
_list:
  description: Addresses, one for each machine or load balancer, or all with O(every=true), in the order of the terms.
  type: list
  elements: str
  sample: ["10.80.1.160"]
"""

from ansible.plugins.lookup import LookupBase

from ansible_collections.lbkit.core.plugins.plugin_utils import _lookup


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        with _lookup.failing():
            from lbkit.faces.addresses import addresses_of

            scope = _lookup.scope_of(self)
            how = {
                "every": self.get_option("every"),
                "prefix": self.get_option("prefix"),
                "family": self.get_option("family"),
            }
            return [address for term in terms for address in addresses_of(scope, str(term), **how)]
