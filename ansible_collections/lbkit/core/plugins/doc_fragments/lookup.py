# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Of a lookup in a topology."""

    DOCUMENTATION = r"""
options:
  source:
    description:
      - Path of the topology, YAML or JSON, where Ansible runs. A relative one starts in the playbook's folder.
      - One of O(source) and O(definition) is required.
    type: str
    vars:
      - name: lbkit_source
  definition:
    description:
      - The topology itself, in the form that the file has. It goes before the variable C(lbkit_source).
      - Relative paths in it start in O(folder).
    type: dict
  folder:
    description: Where relative paths in O(definition) start. A relative one starts in the playbook's folder, and is that by default.
    type: str
    default: .
requirements:
  - lbkit-iac, for the Python that runs Ansible
"""
