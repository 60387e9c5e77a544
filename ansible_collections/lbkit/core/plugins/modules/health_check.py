#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_check
short_description: Ask servers whether they are healthy, now or until they are
description:
  - Asks from the host where the task runs, with the meaning that HAProxy gives the same check. Changes nothing.
  - With O(wait) all servers are asked again until all are healthy at the same time, or the task fails and says of each one
    that is not what it answered last.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.attributes.info
options:
  address:
    description:
      - The server's IPv4 or IPv6 address, or its DNS name. A name is looked up at every turn, and one of its addresses has to be healthy.
      - One of O(address) and O(targets) is required.
    type: str
  port:
    description:
      - The port of O(address), and of those O(targets) that say none.
      - It may stand as C(port) in O(check) instead.
    type: int
  targets:
    description: Several servers, each as C(ADDRESS), C(ADDRESS:PORT) or C([IPv6]:PORT). They are asked at the same time.
    type: list
    elements: str
  check:
    description:
      - What is asked, and what a good answer is, as C(health_check) of a backend in a topology. C(docs/load-balancers.md) has all of its fields.
      - By default a server is healthy where it accepts connections.
      - With O(wait), C(interval) (2s) is the time from one turn to the next, C(rise) (2) how many good answers in a row are wanted. C(fall)
        means nothing here. C(agent) is refused, for HAProxy alone asks it.
      - Where it says no C(host) and no C(server_name), they are the server's own name or address.
    type: dict
    default: {}
  ca:
    description:
      - File with certificates (PEM), on the host where the task runs. One of them has to have signed the server's, which has to be for its name.
      - For C(protocol) V(tls) and V(https) in O(check). Without it every certificate is taken.
    type: path
  wait:
    description:
      - How long to ask until all are healthy, such as V(30), V(30s) or V(2m).
      - V(0) asks each one once, and one good answer is enough.
    type: str
    default: "0"
  fail:
    description: Whether the task fails where a server is not healthy. V(false) leaves that to RV(healthy).
    type: bool
    default: true
notes:
  - A name is looked up by the host's own resolver, which may take longer than O(wait) where its name servers are silent.
"""

EXAMPLES = r"""
- name: Wait until the shop answers
  lbkit.core.health_check:
    address: 10.80.0.10
    port: 80
    check:
      protocol: http
      path: /up
      host: shop.example.test
      expect:
        status: 200
    wait: 30s

- name: Ask all web servers at once, from a load balancer
  lbkit.core.health_check:
    targets: [10.80.1.2, 10.80.1.3, "10.80.1.4:8081"]
    port: 8080
    check:
      protocol: http
      rise: 3
      interval: 500ms
    wait: 1m
  delegate_to: lb-1

- name: Look once, and decide by the answer
  lbkit.core.health_check:
    address: imap.example.test
    port: 993
    check:
      protocol: tls
      expect:
        answer: "* OK"
    ca: /etc/ssl/certs/ca-certificates.crt
    fail: false
  register: mail
"""

RETURN = r"""
healthy:
  description: Whether all are.
  returned: always, once servers were asked
  type: bool
targets:
  description: Each server, in the order in which they were given.
  returned: always, once servers were asked
  type: list
  elements: dict
  contains:
    address:
      description: As it was given.
      type: str
    port:
      description: Where it was asked.
      type: int
    healthy:
      description: Whether it gave as many good answers in a row as were wanted.
      type: bool
    code:
      description:
        - What came of the last question, as HAProxy calls it, V(L4OK), V(L4CON), V(L4TOUT), V(L6OK), V(L6RSP), V(L6TOUT), V(L7OK), V(L7RSP),
          V(L7STS) or V(L7TOUT).
        - Empty where it could not be asked.
      type: str
    words:
      description: The same in words.
      type: str
      sample: Connection refused
    seconds:
      description: How long that took.
      type: float
    asked:
      description: How many times it was asked.
      type: int
seconds:
  description: How long all of it took.
  returned: always, once servers were asked
  type: float
error:
  description: What was wanted, found, where, and what to do.
  returned: failure
  type: dict
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbkit.core.plugins.module_utils import _lbkit


def run(module):
    params = module.params
    probed = _lbkit.lbkit.checks.probe(
        [params["address"]] if params["address"] is not None else params["targets"],
        params["check"],
        port=params["port"],
        ca=Path(params["ca"]) if params["ca"] else None,
        wait=_lbkit.wait_of(module, "wait"),
    )
    if params["fail"] and not probed.healthy:
        _lbkit.fail(module, _lbkit.lbkit.checks.Unhealthy(probed), **probed.as_data())
    return probed.as_data()


def main():
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str"},
            "port": {"type": "int"},
            "targets": {"type": "list", "elements": "str"},
            "check": {"type": "dict", "default": {}},
            "ca": {"type": "path"},
            "wait": {"type": "str", "default": "0"},
            "fail": {"type": "bool", "default": True},
        },
        mutually_exclusive=[("address", "targets")],
        required_one_of=[("address", "targets")],
        supports_check_mode=True,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
