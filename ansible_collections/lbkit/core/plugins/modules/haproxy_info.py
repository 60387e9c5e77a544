#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_info
short_description: Tell what a running HAProxy says of itself and of its servers
description:
  - The process, its frontends, backends, servers and certificates as data, by HAProxy's runtime socket. Changes nothing, and a socket of any
    level will do.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.haproxy
  - lbkit.core.attributes.info
options:
  gather:
    description:
      - What to ask for, V(info) the process, V(servers) all servers, V(stat) frontends and backends with their counters, V(certificates) those
        that it has loaded, which takes a question for each.
    type: list
    elements: str
    choices: [info, servers, stat, certificates]
    default: [info, servers, stat]
  backend:
    description: Tell of this backend alone, and of no frontend.
    type: str
seealso:
  - module: lbkit.core.haproxy_backend
  - module: lbkit.core.haproxy_server
  - module: lbkit.core.haproxy_certificate
"""

EXAMPLES = r"""
- name: Ask for the servers of one backend
  lbkit.core.haproxy_info:
    socket: /run/haproxy/admin.sock
    gather: [servers]
    backend: web
  register: web

- name: Stop where one of them gets no requests
  ansible.builtin.assert:
    that: web.servers | rejectattr('up') | length == 0

- name: Ask which certificates it has
  lbkit.core.haproxy_info:
    socket: /run/haproxy/admin.sock
    gather: [certificates]
  register: tls

- name: Name those that expire within 30 days
  ansible.builtin.debug:
    msg: "{{ tls.certificates | selectattr('seconds_left', 'lt', 30 * 86400) | map(attribute='name') }}"
"""

RETURN = r"""
info:
  description: What the process says of itself.
  returned: when V(info) is in O(gather)
  type: dict
  contains:
    version:
      description: Its version.
      type: str
    pid:
      description: Its process.
      type: int
    uptime:
      description: Seconds since it began.
      type: int
    sessions:
      description: Connections that it has now.
      type: int
    maxconn:
      description: The most that it takes.
      type: int
    stopping:
      description: Whether it ends when its last connection does.
      type: bool
    description:
      description: What its configuration says it is.
      type: str
servers:
  description: All servers, or those of O(backend).
  returned: when V(servers) is in O(gather)
  type: list
  elements: dict
  contains:
    backend:
      description: Its backend.
      type: str
    name:
      description: Its name.
      type: str
    address:
      description: Its address now.
      type: str
    port:
      description: Its port now.
      type: int
    fqdn:
      description: The name that its address was looked up by, or empty.
      type: str
    state:
      description: What people and agents want of it, V(ready), V(drain) or V(maint).
      type: str
    status:
      description: HAProxy's word for how it is, such as C(UP), C(UP 1/3), C(DOWN), C(DRAIN) or C(no check).
      type: str
    up:
      description: Whether it may get requests.
      type: bool
    weight:
      description: The weight in force.
      type: int
    initial_weight:
      description: The weight that it began with.
      type: int
    maxconn:
      description: The most sessions that it gets, V(0) without a limit.
      type: int
    backup:
      description: Whether it serves when no other does.
      type: bool
    sessions:
      description: Sessions that it has now.
      type: int
    sessions_total:
      description: Sessions that it had since HAProxy began.
      type: int
    queue:
      description: Requests that wait for it.
      type: int
    seconds:
      description: How long it has been as it is.
      type: int
    check:
      description: Its health check, with C(enabled), and of the last one C(result), C(code), C(words) and C(detail).
      type: dict
    agent:
      description: The agent that it is asked by, with C(enabled), and of the last answer C(result) and C(words). Not enabled without one.
      type: dict
    connect_errors:
      description: Connections to it that failed.
      type: int
    response_errors:
      description: Answers of it that were none.
      type: int
    http_5xx:
      description: Answers of it that say so.
      type: int
frontends:
  description: All frontends. None where O(backend) is given.
  returned: when V(stat) is in O(gather)
  type: list
  elements: dict
backends:
  description:
    - All backends, or O(backend), each as in RV(frontends) with C(name), C(status), C(sessions), C(sessions_total), C(queue),
      C(limit), C(requests), C(rate) of the last second, C(bytes_in), C(bytes_out), C(request_errors) and C(http_5xx).
  returned: when V(stat) is in O(gather)
  type: list
  elements: dict
certificates:
  description: Those that HAProxy has now, whatever their files have.
  returned: when V(certificates) is in O(gather)
  type: list
  elements: dict
  contains:
    name:
      description: The file as HAProxy names it.
      type: str
      sample: /etc/haproxy/certs/shop.pem
    status:
      description: C(Used), C(Unused) or C(Empty). In an empty one all else is empty.
      type: str
    sha1:
      description: SHA-1 of the certificate in upper-case hexadecimal, the only digest that HAProxy tells.
      type: str
    serial:
      description: Its serial number in hexadecimal.
      type: str
    subject:
      description: Whose it is.
      type: str
    issuer:
      description: Who vouches for it.
      type: str
    names:
      description: The DNS names that it is for.
      type: list
      elements: str
    not_before:
      description: When it begins.
      type: str
    not_after:
      description: When it expires.
      type: str
      sample: "2030-01-31T12:00:00+00:00"
    seconds_left:
      description: Seconds until then, negative once it has expired.
      type: int
error:
  description: What was wanted, found, where, and what to do.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbkit.core.plugins.module_utils import _haproxy, _lbkit

PARTS = ["info", "servers", "stat"]
MORE = ["certificates"]


def run(module):
    from lbkit import haproxies

    params = module.params
    return haproxies.info(
        params["socket"], gather=params["gather"], backend=params["backend"], timeout=params["timeout"]
    )


def main():
    module = AnsibleModule(
        argument_spec={
            **_haproxy.SOCKET,
            "gather": {"type": "list", "elements": "str", "choices": PARTS + MORE, "default": PARTS},
            "backend": {"type": "str"},
        },
        supports_check_mode=True,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
