#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_backend
short_description: Have a backend of a running HAProxy have these servers
description:
  - The whole list of a backend's servers in one task, without a reload, by HAProxy's runtime socket. Missing servers are added,
    those that differ are changed, and with O(exclusive=true) those that are not listed go.
  - New servers serve before others leave. Who leaves gets O(drain_timeout) for its requests, then its sessions are cut. Nothing
    waits beyond its deadline.
  - What is set so is lost when HAProxy reloads or starts anew. Write it into the configuration too, or use M(lbkit.core.topology),
    which does both. Servers of a topology are better changed there.
  - HAProxy 2.6 or later. Older ones add no servers while they run.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.haproxy
  - lbkit.core.attributes
options:
  backend:
    description: The backend's name. It must be there.
    type: str
    required: true
  servers:
    description: Its servers. What is left out of one is left as it is, and is HAProxy's own default of a server that is added.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The server's name in the backend.
        type: str
        required: true
      address:
        description: Its IPv4 or IPv6 address. A name would be looked up at a reload alone, and is refused.
        type: str
        required: true
      port:
        description: Its port.
        type: int
        required: true
      weight:
        description: From V(0) to V(256).
        type: int
      maxconn:
        description: The most connections that it gets, V(0) for no limit.
        type: int
      state:
        description:
          - V(drain) gives it no new sessions, V(maint) none at all and no checks.
          - A server that is added is V(ready).
        type: str
        choices: [ready, drain, maint]
      check:
        description:
          - Whether its health checks run.
          - One that was made without checks cannot get any, and the task says so.
          - A server that is added with checks gets requests once they pass, and not before.
        type: bool
      options:
        description:
          - Further words of a C(server) line, each with its values, for a server that is added.
          - C(default-server) does not count for one that is added while HAProxy runs.
          - HAProxy does not tell them, so they are not compared later.
        type: list
        elements: str
        default: []
  exclusive:
    description:
      - Whether servers that are not listed go.
      - One that HAProxy cannot remove, because another tracks its checks, is put in maintenance.
    type: bool
    default: false
  drain_timeout:
    description: How long requests to a server that goes may last, such as V(30s) or V(2m).
    type: str
    default: 30s
  up_timeout:
    description:
      - How long to wait for the checks of a new server to pass. One that does not come up is a note of the plan.
      - Where no other server is up by then, none leaves, and the task fails.
    type: str
    default: 15s
  state_file:
    description:
      - Where to write the state of all servers of all backends afterwards, at once or not at all.
      - HAProxy reads it when it starts, where it has C(server-state-file) and C(load-server-state-from-file), and takes weight, drain
        and maintenance from it for servers that its configuration has.
    type: path
seealso:
  - module: lbkit.core.haproxy_server
  - module: lbkit.core.haproxy_info
  - module: lbkit.core.topology
"""

EXAMPLES = r"""
- name: Have two servers, and no other
  lbkit.core.haproxy_backend:
    socket: /run/haproxy/admin.sock
    backend: web
    exclusive: true
    drain_timeout: 1m
    servers:
      - name: web-1
        address: 10.80.1.11
        port: 8080
        weight: 10
        check: true
        options:
          - inter 2s
          - rise 2
      - name: web-2
        address: 10.80.1.12
        port: 8080
        weight: 10
        check: true

- name: Add a server beside those that are there, and remember states over a restart
  lbkit.core.haproxy_backend:
    socket: 127.0.0.1:9999
    backend: web
    servers:
      - name: web-3
        address: 2001:db8::13
        port: 8080
        maxconn: 100
    state_file: /var/lib/haproxy/servers.state
"""

RETURN = r"""
plan:
  description:
    - A change for each server that was added, changed or removed, or would be in check mode, in the schema C(lbkit.plan/1), each with
      its C(steps), the commands and waits. C(topology) is empty.
    - Its C(notes) say what one should know, such as a server that did not come up.
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

SERVER = {
    "name": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "weight": {"type": "int"},
    "maxconn": {"type": "int"},
    "state": {"type": "str", "choices": ["ready", "drain", "maint"]},
    "check": {"type": "bool"},
    "options": {"type": "list", "elements": "str", "default": []},
}


def run(module):
    from lbkit import haproxies

    params = module.params
    servers = [
        haproxies.ListedServer(**{**server, "options": tuple(server["options"])})
        for server in params["servers"]
    ]
    wanted = haproxies.WantedBackend(
        params["backend"],
        tuple(servers),
        exclusive=params["exclusive"],
        drain_timeout=_haproxy.seconds(module, "drain_timeout"),
        up_timeout=_haproxy.seconds(module, "up_timeout"),
        state_file=params["state_file"],
    )
    do = haproxies.plan_backend if module.check_mode else haproxies.apply_backend
    planned = do(params["socket"], wanted, timeout=params["timeout"])
    header = f"backend {params['backend']}"
    return _lbkit.result_of(module, planned, f"{header} now", f"{header} as wanted")


def main():
    module = AnsibleModule(
        argument_spec={
            **_haproxy.SOCKET,
            "backend": {"type": "str", "required": True},
            "servers": {"type": "list", "elements": "dict", "required": True, "options": SERVER},
            "exclusive": {"type": "bool", "default": False},
            "drain_timeout": {"type": "str", "default": "30s"},
            "up_timeout": {"type": "str", "default": "15s"},
            "state_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
