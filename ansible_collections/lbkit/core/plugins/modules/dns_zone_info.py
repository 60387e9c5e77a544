#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_zone_info
short_description: Tell what a zone holds, as M(lbkit.core.dns_records) takes it
description:
  - The zone's serial and all its record sets, by one transfer (AXFR). Changes nothing.
  - RV(records) is in the very form of O(lbkit.core.dns_records#module:records), so that one can be fed to the other.
  - Where the server does not let the key transfer the zone, the serial and what O(names) asks for.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.dns
  - lbkit.core.attributes.info
options:
  names:
    description:
      - What to ask for where the zone may not be transferred. Otherwise it does not matter, as all is there.
      - An answer may then come of a wildcard, and of a name with a CNAME it is the CNAME. Delegated names have none.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name within the zone, V(@) for the zone itself, or a whole name that ends with a dot.
        type: str
        required: true
      type:
        description: The type of its records.
        type: str
        required: true
seealso:
  - module: lbkit.core.dns_records
"""

EXAMPLES = r"""
- name: Read the zone
  lbkit.core.dns_zone_info:
    server: 192.0.2.53
    zone: example.org
    key:
      name: ansible
      secret_file: /etc/lbkit/tsig.key
  register: zone

- name: Have the same in another one
  lbkit.core.dns_records:
    server: 198.51.100.53
    zone: example.org
    key:
      name: other
      secret_file: /etc/lbkit/other.key
    records: "{{ zone.records }}"
    prune: true

- name: Ask for single names, where the zone may not be transferred
  lbkit.core.dns_zone_info:
    server: 192.0.2.53
    zone: example.org
    names:
      - name: www
        type: A
"""

RETURN = r"""
zone:
  description: The zone's name, without its last dot.
  returned: success
  type: str
serial:
  description: The serial of its SOA.
  returned: success
  type: int
transferred:
  description: Whether RV(records) is the whole zone. Otherwise it has what was asked for and is there.
  returned: success
  type: bool
name_servers:
  description: The NS of the zone itself, which are not among RV(records), as they belong to the zone's own configuration.
  returned: success
  type: list
  elements: str
records:
  description:
    - Each record set, but for SOA, NS of the zone itself, DNSSEC's signing and lbkit's owner marks.
    - Names are within the zone, names in values are whole, and TXT values are quoted as zone files have them.
  returned: success
  type: list
  elements: dict
  sample:
    - name: www
      type: A
      ttl: 300
      values: [192.0.2.10, 192.0.2.11]
marked:
  description: The values among them that are a topology's, which M(lbkit.core.dns_records) does not change.
  returned: success
  type: list
  elements: dict
  sample:
    - name: shop
      type: A
      topology: web
      values: [10.80.0.10]
error:
  description: What was wanted, found, where, and what to do.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbkit.core.plugins.module_utils import _dns, _lbkit


def run(module):
    from lbkit import zones

    at = _dns.zone_server(module)
    return zones.contents(at, zones.places(at.zone, module.params["names"])).as_data()


def main():
    module = AnsibleModule(
        argument_spec={
            **_dns.SERVER,
            "names": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "type": {"type": "str", "required": True},
                },
            },
        },
        supports_check_mode=True,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
