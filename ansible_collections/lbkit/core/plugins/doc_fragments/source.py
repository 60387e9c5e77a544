# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  file:
    description:
      - Path of the topology, YAML or JSON, on the host where the module runs.
      - Relative paths in it start in its folder.
      - One of O(file) and O(definition) is required.
    type: path
  definition:
    description:
      - The topology itself, in the form that the file has.
      - Relative paths in it start in O(folder).
    type: dict
  folder:
    description:
      - Where relative paths in O(definition) start, on the host where the module runs.
      - The module's working folder by default, which is hardly ever what one means.
    type: path
  run_dir:
    description:
      - Where lbkit keeps what runs.
      - Give the same one at every call for one topology.
      - By default C(/run/lbkit).
    type: path
notes:
  - Runs as root on a host, or as anybody inside C(lbkit sandbox).
  - Secrets appear in plans and differences as digests only.
"""
