# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Of a module of one thing of a topology, beside lbkit.core.source; `module_utils/_part.py` has the same options."""

    DOCUMENTATION = r"""
options:
  name:
    description: Its name in the topology.
    type: str
    required: true
  state:
    description:
      - V(present) makes it stand as declared, with what it needs. The rest of the topology is left as it is.
      - V(absent) removes it, and what lives and dies with it, though it is declared. The task fails and names what else stands
        and needs it, before anything is touched.
    type: str
    choices: [present, absent]
    default: present
  lock_timeout:
    description:
      - How long to wait for another apply of this topology on the same host to end, such as V(30) or V(2m).
      - V(0) is not at all.
    type: str
    default: "0"
notes:
  - A part that is made or removed is no agreement to the rest of the file. Where C(lbkit watch) runs, it goes on keeping what was
    applied last as a whole, and so brings back what was removed alone.
"""
