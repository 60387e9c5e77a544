# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: topology
short_description: The machines of a topology as hosts
description:
  - Reads a topology's file, and has its machines as hosts with everything that reaches them. Nothing need stand yet.
  - The inventory file's name ends in C(lbkit.yml) or C(lbkit.yaml).
  - Groups are C(lbkit_machines), C(lbkit_topology_NAME), C(lbkit_driver_NAME), C(lbkit_net_NAME) for each network,
    C(lbkit_load_balancers), C(lbkit_lb_NAME) for each load balancer, C(lbkit_mirror_masters),
    C(lbkit_mirror_nodes), C(lbkit_mirror_NAME) for each mirror, C(lbkit_name_servers), and the topology's own groups of
    machines under their names.
  - A group of the topology is C(lbkit_group_NAME) where its name is a machine's as well, or no name that Ansible takes.
  - In names of groups C(-) becomes C(_).
  - Host variables are C(lbkit_topology), C(lbkit_member), C(lbkit_group), C(lbkit_driver), C(lbkit_addresses) (lists of
    addresses by network), C(ansible_host) (the first address), C(ansible_connection) and C(ansible_python_interpreter).
    A virtual machine has C(lbkit_host) and C(lbkit_libvirt_uri), too.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - ansible.builtin.constructed
options:
  plugin:
    description: Says that the file is this plugin's.
    type: str
    required: true
    choices:
      - lbkit.core.topology
  source:
    description: Path of the topology, YAML or JSON. A relative one starts in the inventory file's folder.
    type: str
    required: true
  hostnames:
    description:
      - What hosts are called.
      - With V(member) as the machines. With V(full) as C(TOPOLOGY.MEMBER), for inventories of several topologies.
    type: str
    choices:
      - member
      - full
    default: member
requirements:
  - lbkit-iac, for the Python that runs Ansible
seealso:
  - plugin: lbkit.core.netns
    plugin_type: connection
  - plugin: lbkit.core.guest_agent
    plugin_type: connection
"""

EXAMPLES = r"""
# web.lbkit.yml
plugin: lbkit.core.topology
source: web.yml

---
# with groups and variables of one's own
plugin: lbkit.core.topology
source: /etc/lbkit/web.yml
hostnames: full
strict: true
compose:
  back_address: lbkit_addresses.back[0]
groups:
  outside: "'front' in lbkit_addresses"
keyed_groups:
  - key: lbkit_group
    prefix: role
"""

import os
import sys

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable

from ansible_collections.lbkit.core.plugins.plugin_utils._library import failing

REACHED = {
    "netns": {"ansible_connection": "lbkit.core.netns", "ansible_python_interpreter": sys.executable},
    "libvirt": {
        "ansible_connection": "lbkit.core.guest_agent",
        "ansible_python_interpreter": "/usr/bin/python3",
    },
}


class InventoryModule(BaseInventoryPlugin, Constructable):
    NAME = "lbkit.core.topology"

    def verify_file(self, path):
        return super().verify_file(path) and path.endswith(("lbkit.yml", "lbkit.yaml"))

    def parse(self, inventory, loader, path, cache=True):  # noqa: FBT002 - Ansible's
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        source = os.path.join(os.path.dirname(path), os.path.expanduser(self.get_option("source")))
        for machine in self._machines(source):
            self._add(machine)

    def _machines(self, source):
        with failing(lambda words, _: AnsibleParserError(words)):
            from lbkit import load
            from lbkit.faces.inventory import inventory

            return inventory(load(source))

    def _add(self, machine):
        topology = machine.variables["lbkit_topology"]
        name = f"{topology}.{machine.name}" if self.get_option("hostnames") == "full" else machine.name
        known = self.inventory.hosts.get(name)
        if known is not None and known.vars.get("lbkit_topology", topology) != topology:
            raise AnsibleParserError(
                f"host {name} is a machine of the topologies {known.vars['lbkit_topology']} and {topology}: "
                "say `hostnames: full` in one of their inventory files"
            )
        self.inventory.add_host(name)
        for group in machine.groups:
            self.inventory.add_child(self.inventory.add_group(group), name)
        for key, value in {**machine.variables, **REACHED[machine.variables["lbkit_driver"]]}.items():
            self.inventory.set_variable(name, key, value)
        self._construct(name)

    def _construct(self, name):
        strict = self.get_option("strict")
        self._set_composite_vars(
            self.get_option("compose"), self.inventory.get_host(name).get_vars(), name, strict=strict
        )
        variables = self.inventory.get_host(name).get_vars()
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)
