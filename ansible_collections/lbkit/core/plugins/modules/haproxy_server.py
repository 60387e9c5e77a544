#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_server
short_description: Drain, rest, weigh or move one server of a HAProxy, or hold one of a topology
description:
  - It has two forms, by what is given.
  - With O(socket), one server of one running HAProxy, whoever made that, in one backend or in all that have it. What is set there is
    lost when HAProxy reloads or starts anew.
  - With O(path), one server of a topology (O(file) or O(definition)), in all of its HAProxys. It is held out of use, and every apply
    leaves it so, until it is released or the hold's time is up.
  - An unknown server or backend, or a weight that there is not, fails the task.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.haproxy
  - lbkit.core.source
  - lbkit.core.attributes
options:
  socket:
    description:
      - HAProxy's runtime socket, as the host sees it where the module runs.
      - A path such as V(/run/haproxy/admin.sock), or V(HOST:PORT), with an IPv6 address in brackets.
      - It must be of level C(admin) in HAProxy's configuration.
      - One of O(socket) and O(path) is required.
    required: false
  backend:
    description:
      - The backend's name. With O(socket).
      - Without it, the server of that O(name) in every backend that has one, in one plan, and with one O(drain_timeout) for all.
        Where none has, the task fails.
    type: str
  name:
    description: The server's name in the backend. With O(socket).
    type: str
  path:
    description: The server in its topology, as C(LOAD_BALANCER/BACKEND/SERVER).
    type: str
  state:
    description:
      - With O(socket), V(ready), V(drain) (no new sessions) or V(maint) (none at all, and no checks).
      - With O(path), V(held) or V(released).
      - Left as it is where it is not given.
    type: str
    choices: [ready, drain, maint, held, released]
  weight:
    description: From V(0) to V(256), or a share of the weight that the server began with, such as V(50%). With O(socket).
    type: str
  address:
    description: Its IPv4 or IPv6 address. With O(socket).
    type: str
  port:
    description: Its port. With O(socket).
    type: int
  wait_for_drain:
    description:
      - With O(state=drain) or O(state=maint), wait until no session of it is left, O(drain_timeout) at most.
      - Also where it is drained already.
    type: bool
    default: false
  check:
    description:
      - Whether its health checks run. With O(socket).
      - One that was made without checks fails the task, with V(false) too.
      - One that is down when its last check is turned off stays down, which the plan's notes say.
    type: bool
  agent:
    description:
      - Whether its agent is asked. With O(socket).
      - One that was made without C(agent-check) fails the task, with V(false) too.
      - Where it is not given, O(state=ready) has the agent asked, and O(state=drain) or O(state=maint) not, for its C(ready) would end
        those. So V(true) is not for these.
      - What the agent said last stays when it is asked no more. Its weight and its drain look like a person's then.
    type: bool
  cut_sessions:
    description:
      - With O(state=drain) or O(state=maint), cut its sessions at once. To give them time, use O(on_deadline=cut).
      - One without sessions is left as it is. One that has any afterwards fails the task.
    type: bool
    default: false
  drain_timeout:
    description: How long its sessions may last with O(wait_for_drain=true), such as V(30s) or V(2m).
    type: str
    default: 30s
  on_deadline:
    description:
      - What becomes of it when sessions are left after O(drain_timeout).
      - V(fail) leaves it drained, and fails the task. So it is by default with O(state=drain).
      - V(maint) puts it in maintenance. So it is by default with O(state=maint). With O(state=drain) a server in maintenance is as
        good as one that is drained, at later runs too.
      - V(leave) leaves it drained, and says in a note how many are left. Not with O(state=maint).
      - V(cut) cuts them. So it does with a server that is drained or in maintenance already and has sessions, and a server in
        maintenance is not as good as one that is drained.
    type: str
    choices: [fail, maint, leave, cut]
  up_timeout:
    description:
      - How long to wait for the checks of a server that comes back or moves. With O(socket).
      - One that is not up by then is a note of the plan, and with O(wait_for_up=true) fails the task.
    type: str
    default: 15s
  wait_for_up:
    description:
      - With O(state=ready), fail where it is not up after O(up_timeout), with what its checks say. It stays ready, and gets requests once
        they pass.
      - Also where it is ready already.
    type: bool
    default: false
  reason:
    description: Why it is held, for whoever finds it so. Required with O(state=held).
    type: str
  until:
    description:
      - When the hold ends by itself, such as V(2030-01-31T14:00), local time where no zone is written.
      - Without it and O(for), when it is released.
    type: str
  for:
    description: How long it is held, such as V(2h), from when it is first held. A later run does not prolong it.
    type: str
  lock_timeout:
    description: How long to wait for an apply of the topology on the same host to end, such as V(30) or V(2m). With O(path).
    type: str
    default: "0"
seealso:
  - module: lbkit.core.haproxy_backend
  - module: lbkit.core.haproxy_info
  - module: lbkit.core.topology
"""

EXAMPLES = r"""
- name: Drain a server, and go on when its last session has ended
  lbkit.core.haproxy_server:
    socket: /run/haproxy/admin.sock
    backend: web
    name: web-3
    state: drain
    wait_for_drain: true
    drain_timeout: 5m

- name: Put it in maintenance, after a minute at most
  lbkit.core.haproxy_server:
    socket: /run/haproxy/admin.sock
    backend: web
    name: web-3
    state: maint
    wait_for_drain: true
    drain_timeout: 1m

- name: Take a host out of all backends, and cut what is left after a minute
  lbkit.core.haproxy_server:
    socket: /run/haproxy/admin.sock
    name: web-3
    state: maint
    wait_for_drain: true
    drain_timeout: 1m
    on_deadline: cut

- name: Have neither its health checks nor its agent say how it is
  lbkit.core.haproxy_server:
    socket: /run/haproxy/admin.sock
    backend: web
    name: web-3
    check: false
    agent: false

- name: Use it again, by half of its weight
  lbkit.core.haproxy_server:
    socket: 127.0.0.1:9999
    backend: web
    name: web-3
    state: ready
    weight: 50%
    wait_for_up: true
    up_timeout: 30s

- name: Hold a server of a topology out of use, whatever is applied meanwhile
  lbkit.core.haproxy_server:
    file: /etc/lbkit/web.yml
    path: shop/web/web-3
    state: held
    reason: disk fails
    for: 2h

- name: Release it
  lbkit.core.haproxy_server:
    file: /etc/lbkit/web.yml
    path: shop/web/web-3
    state: released
"""

RETURN = r"""
plan:
  description:
    - What was done, or would be in check mode, in the schema C(lbkit.plan/1), at most one change for each backend, with its C(steps).
    - A change that cuts sessions has in C(before) how many C(sessions) there are.
    - Its C(notes) say what one should know, such as sessions that were left.
  returned: success
  type: dict
places:
  description: What came of a hold, or of its end, in each HAProxy, in words.
  returned: with O(path), where something was changed
  type: list
  elements: str
error:
  description:
    - What was wanted, found, where, and what to do.
    - When HAProxy refused a step, or sessions were left at the deadline, or it did not come up, RV(ignore:done) has what was carried out before, which stays.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbkit.core.plugins.module_utils import _haproxy, _lbkit

HOLDS = {"held", "released"}
LIVE = ("backend", "name", "weight", "address", "port", "on_deadline", "check", "agent")
HELD = ("reason", "until", "for")


def refused(module):
    """Words for options of one form that are given with the other, which argument specs cannot say."""
    params = module.params
    if params["socket"]:
        if params["state"] in HOLDS:
            return f"state {params['state']} needs path, and the topology's file or definition"
        others = [
            name for name in (*HELD, "file", "definition", "folder", "run_dir") if params[name] is not None
        ]
        return f"not with socket: {', '.join(others)}" if others else ""
    others = [name for name in LIVE if params[name] is not None]
    others += [name for name in ("wait_for_drain", "wait_for_up", "cut_sessions") if params[name]]
    if others:
        return f"not with path: {', '.join(others)}"
    if params["state"] not in HOLDS:
        return "path needs state held or released"
    if params["state"] == "released" and any(params[name] is not None for name in HELD):
        return "reason, until and for are of state held"
    return "" if params["file"] or params["definition"] is not None else "path needs file or definition"


def live(module):
    from lbkit import haproxies

    params = module.params
    wanted = haproxies.WantedServer(
        *(
            params[name]
            for name in ("backend", "name", "state", "weight", "address", "port", "wait_for_drain")
        ),
        drain_timeout=_haproxy.seconds(module, "drain_timeout"),
        on_deadline=params["on_deadline"],
        up_timeout=_haproxy.seconds(module, "up_timeout"),
        check=params["check"],
        agent=params["agent"],
        cut_sessions=params["cut_sessions"],
        wait_for_up=params["wait_for_up"],
    )
    do = haproxies.plan_server if module.check_mode else haproxies.apply_server
    planned = do(params["socket"], wanted, timeout=params["timeout"])
    header = f"server {'/'.join(filter(None, (params['backend'], params['name'])))}"
    return _lbkit.result_of(module, planned, f"{header} now", f"{header} as wanted")


def held(module):
    from lbkit import WantedHold, apply_hold, plan_hold
    from lbkit.faces.options import end_of

    params = module.params
    scope, host = _lbkit.scope_and_host(module)
    wanted = WantedHold(
        params["path"],
        params["state"] == "held",
        params["reason"] or "",
        until=None if params["until"] is None else end_of(params["until"], host.clock.now()),
        lasting=None if params["for"] is None else _haproxy.seconds(module, "for"),
    )
    header = f"hold of {params['path']}"
    if module.check_mode:
        planned = plan_hold(scope, wanted, host)
        return _lbkit.result_of(module, planned, f"{header} now", f"{header} as wanted")
    wait = _haproxy.seconds(module, "lock_timeout")
    planned, done = apply_hold(scope, wanted, host, lock_timeout=wait)
    more = {"places": [" ".join(filter(None, (each.what, each.evidence))) for each in done]} if done else {}
    return _lbkit.result_of(module, planned, f"{header} now", f"{header} as wanted", **more)


def main():
    module = AnsibleModule(
        argument_spec={
            **_haproxy.SOCKET,
            **_lbkit.SOURCE,
            "socket": {"type": "str"},
            "backend": {"type": "str"},
            "name": {"type": "str"},
            "path": {"type": "str"},
            "state": {"type": "str", "choices": ["ready", "drain", "maint", "held", "released"]},
            "weight": {"type": "str"},
            "address": {"type": "str"},
            "port": {"type": "int"},
            "wait_for_drain": {"type": "bool", "default": False},
            "check": {"type": "bool"},
            "agent": {"type": "bool"},
            "cut_sessions": {"type": "bool", "default": False},
            "drain_timeout": {"type": "str", "default": "30s"},
            "on_deadline": {"type": "str", "choices": ["fail", "maint", "leave", "cut"]},
            "up_timeout": {"type": "str", "default": "15s"},
            "wait_for_up": {"type": "bool", "default": False},
            "reason": {"type": "str"},
            "until": {"type": "str"},
            "for": {"type": "str"},
            "lock_timeout": {"type": "str", "default": "0"},
        },
        mutually_exclusive=[("socket", "path"), ("file", "definition"), ("file", "folder"), ("until", "for")],
        required_one_of=[("socket", "path")],
        required_by={"socket": ("name",)},
        required_if=[("state", "held", ("path", "reason")), ("state", "released", ("path",))],
        supports_check_mode=True,
    )
    if words := refused(module):
        module.fail_json(msg=words)
    _lbkit.finish(module, live if module.params["socket"] else held)


if __name__ == "__main__":
    main()
