#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tls_certificate_info
short_description: Tell which certificate a TLS server shows to clients
description:
  - A TLS handshake, as a client makes one, from the host where the module runs. The certificate is told and not judged, whoever vouches for it.
  - Whether a load balancer serves what was put into its files is told by this and by nothing else.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.attributes.info
options:
  address:
    description: The server's address, or its name.
    type: str
    required: true
  port:
    description: Its port.
    type: int
    default: 443
  server_name:
    description: The name to ask for (SNI). By default none, which gets the server's default certificate.
    type: str
    default: ""
  timeout:
    description: Seconds that the server may be silent before the task fails.
    type: float
    default: 10.0
seealso:
  - module: lbkit.core.haproxy_certificate
  - module: lbkit.core.haproxy_info
"""

EXAMPLES = r"""
- name: Look at what clients are shown
  lbkit.core.tls_certificate_info:
    address: 203.0.113.10
    server_name: shop.example.org
  register: shop

- name: Stop where it expires within 30 days
  ansible.builtin.assert:
    that: shop.certificate.seconds_left > 30 * 86400
"""

RETURN = r"""
certificate:
  description: The server's own certificate.
  returned: success
  type: dict
  contains:
    fingerprint:
      description: SHA-256 of it, in upper-case hexadecimal, as M(lbkit.core.haproxy_certificate) returns it.
      type: str
    sha1:
      description: SHA-1 of it, as M(lbkit.core.haproxy_info) returns it.
      type: str
    subject:
      description: Whose it is.
      type: str
      sample: CN=shop.example.org
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

from ansible_collections.lbkit.core.plugins.module_utils import _lbkit


def run(module):
    from lbkit import haproxies

    params = module.params
    found = haproxies.presented(
        params["address"], params["port"], params["server_name"], timeout=params["timeout"]
    )
    return {"certificate": found}


def main():
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "default": 443},
            "server_name": {"type": "str", "default": ""},
            "timeout": {"type": "float", "default": 10.0},
        },
        supports_check_mode=True,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
