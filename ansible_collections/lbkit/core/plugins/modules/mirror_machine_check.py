#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_machine_check
short_description: Find out whether a machine can be a mirror's master or node
description:
  - Looks at the machine that the task runs on, as lbkit's programs will find it, before a topology has it fetch or serve a mirror.
  - It asks for programs and their versions, for the disk, the space and the inodes, for ports, and for the way to upstream.
  - The task fails where one of them is not as it has to be. All that is wrong is said at once, each with what to do.
  - The machine needs C(/usr/bin/python3), 3.11 or newer, and nothing of lbkit's. The library is the controller's.
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.attributes.info
options:
  role:
    description: What it is to be, V(master) that fetches or V(node) that serves.
    type: str
    choices: [master, node]
    required: true
  path:
    description:
      - The folder that generations are to lie in, C(path) in the topology. It need not be there yet.
      - What its disk can do is tried in a folder that is made in it, or in the nearest one above it, and removed again.
    type: path
    required: true
  own_disk:
    description: Whether a disk has to be mounted at O(path), so that nothing is written to the one that the system is on.
    type: bool
    default: false
  mirrors:
    description: Names of its mirrors. Ports of lbkit's programs follow from them where the topology does not say C(port).
    type: list
    elements: str
    default: []
  ports:
    description: Further ports that have to be free, or lbkit's own already.
    type: list
    elements: int
    default: []
  http_port:
    description: The port of a node's web server. With V(0) there is none, and no nginx is asked for.
    type: int
    default: 80
  keep:
    description: As in the topology. There is to be space for one generation more.
    type: int
    default: 3
  size:
    description: How large one whole generation is, such as V(200GiB). It counts until the first one stands.
    type: str
    default: "0"
  inodes:
    description: How many files, folders and links one whole generation has. They count until the first one stands.
    type: int
    default: 0
  generation_size:
    description: How much of a generation the one before it does not have, such as V(5GiB). All else are hard links.
    type: str
    default: "0"
  generation_inodes:
    description: How many files are new in a generation, and how many folders and symbolic links it has. All else are hard links.
    type: int
    default: 0
  min_free:
    description: How much has to be free in any case, such as V(10GiB).
    type: str
    default: "0"
  min_inodes:
    description: How many inodes have to be free in any case.
    type: int
    default: 0
  upstream:
    description:
      - Where the content comes from, as in the topology. It says which programs a master needs.
      - With V(ssh://) and V(https://) too, it is the master's.
    type: str
  ask_upstream:
    description: Whether O(upstream) is asked now, for the names at its top, or for the headers of its list.
    type: bool
    default: true
  digests:
    description: The list of files of an upstream by https, as in the topology.
    type: str
  password:
    description: Of the user in O(upstream), for an rsync daemon or https. It reaches a file of mode 600 that is removed again.
    type: str
  key:
    description: The content of the private key, for an upstream by ssh.
    type: str
  known_hosts:
    description: The content of a file with the host's key, for an upstream by ssh.
    type: str
  ca:
    description: The content of a file with the authorities that are trusted, for an upstream by https.
    type: str
  program:
    description:
      - What is run on the machine, packed. The controller's library gives it; leave it out.
      - Where the controller has no library, it is the library of the Python that the task runs with.
    type: str
seealso:
  - module: lbkit.core.mirror_info
  - module: lbkit.core.mirror_sync
"""

EXAMPLES = r"""
- name: See that the nodes can serve a mirror of 200 GiB
  lbkit.core.mirror_machine_check:
    role: node
    path: /srv/mirrors
    own_disk: true
    mirrors: [debian]
    size: 200GiB
    generation_size: 5GiB

- name: See that the master reaches upstream
  lbkit.core.mirror_machine_check:
    role: master
    path: /srv/mirrors
    mirrors: [debian]
    min_free: 50GiB
    upstream: rsync://mirror@ftp.example/debian
    password: "{{ upstream_password }}"
"""

RETURN = r"""
checks:
  description: All that was asked, also where the task fails.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: What was asked for.
      type: str
    good:
      description: Whether it is as it has to be.
      type: bool
    found:
      description: What was found.
      type: str
    remedy:
      description: What to do, where it is not good.
      type: str
error:
  description: What was wanted, found, where, and what to do, where an option says what cannot be meant.
  returned: failure
  type: dict
"""

import json
import os
import tempfile
import zlib
from base64 import b64decode

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbkit.core.plugins.module_utils import _lbkit

PYTHON = ["/usr/bin/python3", "-I", "-S"]  # the machine's own: its services run with it


def packed(module):
    given = module.params["program"]
    if given is not None:
        return zlib.decompress(b64decode(given))
    _lbkit.require(module)
    return _lbkit.lbkit.mirror_machines.program()


def main():
    module = AnsibleModule(
        argument_spec={
            "role": {"type": "str", "choices": ["master", "node"], "required": True},
            "path": {"type": "path", "required": True},
            "own_disk": {"type": "bool", "default": False},
            "mirrors": {"type": "list", "elements": "str", "default": []},
            "ports": {"type": "list", "elements": "int", "default": []},
            "http_port": {"type": "int", "default": 80},
            "keep": {"type": "int", "default": 3},
            "size": {"type": "str", "default": "0"},
            "inodes": {"type": "int", "default": 0},
            "generation_size": {"type": "str", "default": "0"},
            "generation_inodes": {"type": "int", "default": 0},
            "min_free": {"type": "str", "default": "0"},
            "min_inodes": {"type": "int", "default": 0},
            "upstream": {"type": "str"},
            "ask_upstream": {"type": "bool", "default": True},
            "digests": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "key": {"type": "str", "no_log": True},
            "known_hosts": {"type": "str"},
            "ca": {"type": "str"},
            "program": {"type": "str"},
        },
        supports_check_mode=True,
    )
    if not os.path.exists(PYTHON[0]):
        module.fail_json(
            msg=f"a mirror's programs were to run with {PYTHON[0]}\n  found: there is none\n  to do: install python3, 3.11 or newer"
        )
    descriptor, path = tempfile.mkstemp(prefix="lbkit-", suffix=".pyz", dir=module.tmpdir)
    with open(descriptor, "wb") as stream:
        stream.write(packed(module))
    module.add_cleanup_file(path)
    question = {name: value for name, value in module.params.items() if name != "program"}
    said = module.run_command([*PYTHON, path], data=json.dumps(question), check_rc=True)[1]
    answer = json.loads(said)
    if "msg" in answer:
        module.fail_json(**answer)
    module.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
