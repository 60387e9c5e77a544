#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: topology_info
short_description: Tell how a topology stands, and what its addresses are
description:
  - The plan that M(lbkit.core.topology) would carry out now, the status of everything, and every address that
    was declared or allocated, and what is held out of use by hand. Changes nothing.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.source
  - lbkit.core.attributes.info
options:
  certificates:
    description:
      - Look at the certificates that load balancers serve, too, by their runtime sockets and by a TLS handshake with each bind.
    type: bool
    default: false
seealso:
  - module: lbkit.core.topology
"""

EXAMPLES = r"""
- name: Ask how it stands
  lbkit.core.topology_info:
    file: /etc/lbkit/web.yml
  register: web

- name: Look at the certificates, too
  lbkit.core.topology_info:
    file: /etc/lbkit/web.yml
    certificates: true
  register: tls

- name: Stop where a client is shown another one than the files have
  ansible.builtin.assert:
    that: tls.certificates | rejectattr('current') | length == 0

- name: Stop where something is to be done or is down
  ansible.builtin.assert:
    that:
      - not web.plan.changes
      - web.status | rejectattr('health', 'in', ['up', 'unknown']) | length == 0
"""

RETURN = r"""
plan:
  description: As M(lbkit.core.topology) returns it.
  returned: success
  type: dict
status:
  description: As M(lbkit.core.topology) returns it.
  returned: success
  type: list
  elements: dict
digest:
  description: Of all that the topology declares, with the contents of its files. The same as long as that is the same.
  returned: success
  type: str
addresses:
  description: What the topology's names resolve to.
  returned: success
  type: dict
  contains:
    networks:
      description: The prefixes of each network.
      type: dict
      sample: {"front": ["10.80.0.0/24"]}
    entries:
      description: By reference, each machine of a group, or a load balancer's virtual address.
      type: dict
      sample: {"machines.web": [{"name": "web-1", "addresses": {"back": ["10.80.1.2"]}}]}
holds:
  description: What somebody holds out of use by C(lbkit hold), and every apply leaves so.
  returned: success
  type: list
  elements: dict
  sample:
    - path: shop/web/web-3
      reason: disk fails
      by: root
      since: "2030-01-31T12:00:00+00:00"
      until: "2030-01-31T14:00:00+00:00"
certificates:
  description: Each certificate that a load balancer uses, on each of its machines.
  returned: when O(certificates=true)
  type: list
  elements: dict
  contains:
    load_balancer:
      description: Whose it is.
      type: str
    name:
      description: Its name among the load balancer's certificates.
      type: str
    machine:
      description: Where it is served.
      type: str
    declared:
      description:
        - What its files have now.
      type: dict
      contains:
        sha1:
          description: Its digest, in upper-case hexadecimal.
          type: str
        files:
          description: The files that it is read from, in the order certificate, chain and key where these are apart.
          type: list
          elements: str
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
        seconds_left:
          description: Seconds until then, negative once it has expired.
          type: int
    served:
      description: What HAProxy has, as M(lbkit.core.haproxy_info) tells it. None where it has none, or does not answer.
      type: dict
    trouble:
      description: Why RV(certificates[].served) is none.
      type: str
    shown:
      description:
        - What a client is shown, by a handshake with each bind that has it and is the machine's own. At a virtual address another machine may
          answer, so there none is made.
        - Each with C(address), C(port), C(server_name), C(certificate) as M(lbkit.core.tls_certificate_info) returns it, and C(trouble), why it
          is none.
      type: list
      elements: dict
    current:
      description: Whether HAProxy has what the files have, and shows it to clients.
      type: bool
error:
  description: What was wanted, found, where, and what to do.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbkit.core.plugins.module_utils import _lbkit


def run(module):
    from lbkit import digest, holds, plan, served_certificates

    scope, host = _lbkit.scope_and_host(module)
    more = {}
    if module.params["certificates"]:
        more["certificates"] = [each.as_data() for each in served_certificates(scope, host)]
    return {
        **more,
        "plan": plan(scope, host).as_data(),
        "status": _lbkit.status_of(scope, host),
        "digest": digest(scope, host),
        "addresses": scope.book.as_data(),
        "holds": [hold.as_data() for hold in holds(scope, host)],
    }


def main():
    module = AnsibleModule(
        argument_spec={**_lbkit.SOURCE, "certificates": {"type": "bool", "default": False}},
        supports_check_mode=True,
        **_lbkit.CONSTRAINTS,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
