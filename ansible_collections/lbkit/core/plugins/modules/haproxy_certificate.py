#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_certificate
short_description: Have a running HAProxy serve this certificate
description:
  - Replaces a certificate with its key, or brings a new one into a crt-list, without a reload, by HAProxy's runtime socket. No
    connection is refused meanwhile, and those that stand go on.
  - Before anything is sent, it is seen that key and certificate belong together, that nothing else is among them, and that the
    certificate is valid now.
  - A change of a certificate that somebody began at the socket and never committed is dropped, and told of in the plan's notes, for HAProxy has
    one at a time.
  - Without O(persist) the change is live only. At its next reload or restart HAProxy reads the files anew.
  - Certificates of a topology are part of M(lbkit.core.topology), which sets them back.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.haproxy
  - lbkit.core.attributes
options:
  name:
    description:
      - The file of the certificate as HAProxy names it. C(show ssl cert) lists them.
      - One that HAProxy has not loaded is made new where O(crt_list) is given; otherwise the task fails and tells the nearest name.
    type: str
    required: true
  src:
    description:
      - Files, on the host where the module runs, that have together the certificate, its chain and its key, in any order.
        An ACME client's C(fullchain.pem) and C(privkey.pem) are such.
      - A file with a key in it must be readable by its owner alone.
      - One of O(src) and O(content) is required with O(state=present).
    type: list
    elements: path
  content:
    description: Certificate, chain and key in PEM, such as from a vault.
    type: str
  state:
    description:
      - V(absent) takes it out of O(crt_list), if given, and removes it.
      - What is in use otherwise is not removed. The task fails and says what uses it.
    type: str
    choices: [present, absent]
    default: present
  crt_list:
    description:
      - The crt-list that the certificate shall be in, as HAProxy names it. C(show ssl crt-list) lists them.
      - Lines of other certificates stay.
    type: str
  names:
    description:
      - The names that it answers for in O(crt_list), such as V(*.example.org) or V(!bad.example.org). It then has one line there, with these.
      - By default any line of it is as well, and a new one answers for the certificate's own names.
    type: list
    elements: str
  persist:
    description:
      - Do the same to the files on the disk, so that it outlives a reload and a restart.
      - The certificate's file is replaced at once, with mode 600 and the owner that it has. The list's file must be there, and keeps
        its other lines, mode and owner.
    type: bool
    default: false
  folder:
    description:
      - Where relative O(name) and O(crt_list) start on the disk, on the host where the module runs.
      - Needed with O(persist) only, where one of them is relative.
    type: path
notes:
  - The key is in no result, plan, difference or log.
  - A certificate with its chain and key that is longer than one command may be, some 16 KiB, cannot be replaced at run time.
seealso:
  - module: lbkit.core.haproxy_map
  - module: lbkit.core.haproxy_backend
"""

EXAMPLES = r"""
- name: Serve the renewed certificate, now and after a restart
  lbkit.core.haproxy_certificate:
    socket: /run/haproxy/admin.sock
    name: /etc/haproxy/certs/shop.pem
    src:
      - /etc/letsencrypt/live/shop.example.org/fullchain.pem
      - /etc/letsencrypt/live/shop.example.org/privkey.pem
    persist: true

- name: Bring in a new one for two names
  lbkit.core.haproxy_certificate:
    socket: /run/haproxy/admin.sock
    name: /etc/haproxy/certs/blog.pem
    content: "{{ vault_blog_certificate }}"
    crt_list: /etc/haproxy/certs.list
    names:
      - blog.example.org
      - "*.blog.example.org"
    persist: true

- name: Take it out again
  lbkit.core.haproxy_certificate:
    socket: /run/haproxy/admin.sock
    name: /etc/haproxy/certs/blog.pem
    state: absent
    crt_list: /etc/haproxy/certs.list
    persist: true
"""

RETURN = r"""
plan:
  description:
    - A change of the certificate, one of the list, and with O(persist) one of each file, where they are not as wanted, in the schema
      C(lbkit.plan/1), each with its C(steps), the commands. They were carried out, or would be in check mode. C(topology) is empty.
    - Its C(notes) say where a change is live only, and what of others was dropped.
  returned: success
  type: dict
certificate:
  description: What was given.
  returned: success and O(state=present)
  type: dict
  contains:
    fingerprint:
      description: SHA-256 of the certificate, in hexadecimal.
      type: str
    subject:
      description: Whose it is.
      type: str
      sample: /CN=shop.example.org
    names:
      description: The DNS names that it is for.
      type: list
      elements: str
    not_after:
      description: When it expires.
      type: str
      sample: "2030-01-31T12:00:00+00:00"
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
    given = None
    if params["state"] == "present":
        content = None if params["content"] is None else params["content"].encode()
        given = haproxies.read_certificate([Path(each) for each in params["src"] or ()], content)
    wanted = haproxies.WantedCertificate(
        params["name"],
        given,
        crt_list=params["crt_list"],
        names=None if params["names"] is None else tuple(params["names"]),
        persist=params["persist"],
        folder=Path(params["folder"]) if params["folder"] else None,
    )
    do = haproxies.plan_certificate if module.check_mode else haproxies.apply_certificate
    planned = do(params["socket"], wanted, timeout=params["timeout"])
    more = {} if given is None else {"certificate": given.as_data()}
    return _lbkit.result_of(module, planned, f"{params['name']} now", f"{params['name']} as wanted", **more)


def main():
    module = AnsibleModule(
        argument_spec={
            **_haproxy.SOCKET,
            "name": {"type": "str", "required": True},
            "src": {"type": "list", "elements": "path"},
            "content": {"type": "str", "no_log": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "crt_list": {"type": "str"},
            "names": {"type": "list", "elements": "str"},
            "persist": {"type": "bool", "default": False},
            "folder": {"type": "path"},
        },
        mutually_exclusive=[("src", "content")],
        required_if=[("state", "present", ("src", "content"), True)],
        supports_check_mode=True,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
