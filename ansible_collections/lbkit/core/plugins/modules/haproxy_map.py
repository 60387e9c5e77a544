#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_map
short_description: Have a map or an ACL's list of a running HAProxy have these entries
description:
  - Sets entries of a map, or patterns of an ACL's list, without a reload, by HAProxy's runtime socket.
  - The whole of it (O(exclusive=true)) is replaced at once, so that no request sees some old entries and some new ones. Where one command is
    enough, or entries are added at the end alone, it is done by that.
  - Without O(persist) the change is live only. At its next reload or restart HAProxy reads the file anew.
  - Maps of a topology are part of M(lbkit.core.topology), which sets them back.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.haproxy
  - lbkit.core.attributes
options:
  name:
    description:
      - The file of the map or list as HAProxy's configuration names it. C(show map) and C(show acl) list them.
      - It must be loaded. Where it is not, the task fails and tells the nearest name.
    type: str
    required: true
  entries:
    description: The entries, in their order.
    type: list
    elements: dict
    required: true
    suboptions:
      key:
        description: What is looked up; of an ACL's list the pattern.
        type: str
        required: true
      value:
        description:
          - What is found. A map's entry needs one, an ACL's list has none.
          - With O(state=absent) the entry goes only if it has this value. Without one, all entries of the key go.
        type: str
  exclusive:
    description:
      - V(true) is that there are these entries in this order, and no others. An empty list empties the map.
      - V(false) leaves other entries as they are. New ones come at the end.
      - A key may be there several times with V(true) alone; HAProxy then finds its first entry.
    type: bool
    default: false
  state:
    description: V(absent) removes O(entries), and nothing else.
    type: str
    choices: [present, absent]
    default: present
  persist:
    description:
      - Do the same to the file on the disk, so that it outlives a reload and a restart.
      - The file must be there. It is replaced at once, with the mode and owner that it has, and keeps its comments.
    type: bool
    default: false
  folder:
    description:
      - Where a relative O(name) starts on the disk, on the host where the module runs.
      - Needed with O(persist) only, where O(name) is relative.
    type: path
seealso:
  - module: lbkit.core.haproxy_certificate
  - module: lbkit.core.haproxy_backend
"""

EXAMPLES = r"""
- name: Send two hosts to their backends, and no others
  lbkit.core.haproxy_map:
    socket: /run/haproxy/admin.sock
    name: /etc/haproxy/hosts.map
    exclusive: true
    persist: true
    entries:
      - key: shop.example.org
        value: shop
      - key: www.example.org
        value: www

- name: Add one until the next reload
  lbkit.core.haproxy_map:
    socket: /run/haproxy/admin.sock
    name: /etc/haproxy/hosts.map
    entries:
      - key: try.example.org
        value: canary

- name: Refuse an address
  lbkit.core.haproxy_map:
    socket: /run/haproxy/admin.sock
    name: /etc/haproxy/denied.acl
    persist: true
    entries:
      - key: 192.0.2.0/24

- name: Remove an entry, if it is this one
  lbkit.core.haproxy_map:
    socket: 192.0.2.10:9999
    name: /etc/haproxy/hosts.map
    state: absent
    entries:
      - key: try.example.org
        value: canary
"""

RETURN = r"""
plan:
  description:
    - A change of the map or list, and with O(persist) one of its file, that was carried out, or would be in check mode, in the schema
      C(lbkit.plan/1), each with its C(steps), the commands. C(topology) is empty.
    - With O(exclusive=true), C(before) and C(after) have all entries, else those of the keys in O(entries).
    - Its C(notes) say where a change is live only.
  returned: success
  type: dict
error:
  description:
    - What was wanted, found, where, and what to do.
    - When HAProxy refused a step, RV(ignore:done) has what was carried out before, which stays.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbkit.core.plugins.module_utils import _haproxy, _lbkit


def run(module):
    from pathlib import Path

    from lbkit import haproxies

    params = module.params
    wanted = haproxies.WantedEntries(
        params["name"],
        tuple(haproxies.MapEntry(entry["key"], entry["value"]) for entry in params["entries"]),
        exclusive=params["exclusive"],
        absent=params["state"] == "absent",
        persist=params["persist"],
        folder=Path(params["folder"]) if params["folder"] else None,
    )
    do = haproxies.plan_map if module.check_mode else haproxies.apply_map
    planned = do(params["socket"], wanted, timeout=params["timeout"])
    return _lbkit.result_of(module, planned, f"{params['name']} now", f"{params['name']} as wanted")


def main():
    module = AnsibleModule(
        argument_spec={
            **_haproxy.SOCKET,
            "name": {"type": "str", "required": True},
            "entries": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "key": {"type": "str", "required": True, "no_log": False},
                    "value": {"type": "str"},
                },
            },
            "exclusive": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "persist": {"type": "bool", "default": False},
            "folder": {"type": "path"},
        },
        supports_check_mode=True,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
