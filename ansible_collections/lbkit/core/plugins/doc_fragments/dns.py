# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  server:
    description: Address or name of the zone's primary server, which takes updates. It is asked by TCP.
    type: str
    required: true
  port:
    description: Where it listens.
    type: int
    default: 53
  zone:
    description: The zone's name, such as V(example.org).
    type: str
    required: true
  key:
    description:
      - The TSIG key that signs all that is sent, and whose signature every answer must bear.
      - Without one nothing is signed, for servers that trust addresses.
    type: dict
    suboptions:
      name:
        description: The key's name, as the server has it.
        type: str
        required: true
      algorithm:
        description: The key's algorithm, as the server has it.
        type: str
        choices: [hmac-sha224, hmac-sha256, hmac-sha384, hmac-sha512]
        default: hmac-sha256
      secret_file:
        description:
          - File on the host where the module runs, readable by its owner alone.
          - It holds the secret in base64, or a key clause as C(tsig-keygen) and C(lbkit keygen) write it.
          - One of O(key.secret_file) and O(key.secret) is required.
        type: path
      secret:
        description: The secret itself in base64, as from Ansible Vault. It is in no result, plan or log.
        type: str
notes:
  - Runs on any host that reaches the server. It needs no topology, and no root.
"""
