#!/usr/bin/python
# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_image
short_description: Build, add or remove an image that virtual machines stand on
description:
  - An image is built of a recipe from Debian packages, or taken from a file, such as a distribution's cloud image.
  - It is known by its digest, so what is in the host's store already is neither built nor copied again.
  - A topology names it as C(NAME), which is the one of that name that was made last, or as C(NAME@DIGEST).
version_added: 0.1.0
author:
  - lbkit maintainers (@lbkit)
extends_documentation_fragment:
  - lbkit.core.attributes
  - lbkit.core.progress
options:
  state:
    description:
      - V(present) has the image of O(recipe) or O(src) in the store.
      - V(absent) removes it. Where only O(name) is given, all images of that name go.
      - An image that a virtual machine of this host stands on is not removed, and the task fails.
    type: str
    choices: [present, absent]
    default: present
  name:
    description:
      - What the image is called. With O(recipe) that is its name by default.
      - With O(state=absent) it may be C(NAME@DIGEST), as C(lbkit image list) shows it.
    type: str
  recipe:
    description:
      - What to build, such as V(debian-12-lb), from the packages of the host's own APT sources.
      - That takes minutes, and 2 GiB on the disk meanwhile. As root, or with a range of C(/etc/subuid).
    type: str
  packages:
    description: More packages for O(recipe). They make another image of it.
    type: list
    elements: str
  enable:
    description: Units of systemd that start at boot, for O(recipe). What packages enable is off.
    type: list
    elements: str
  src:
    description:
      - A ready image to add, qcow2 or raw, on the host where the task runs. It has its boot loader in it.
      - It is copied and checked, and nothing in it is executed. C(ansible.builtin.get_url) loads it before.
      - Once the image is in the store the file is not looked at any more, and may be gone.
    type: path
  sha256:
    description: The SHA-256 of O(src) as its publisher tells it, 64 hexadecimal digits.
    type: str
  guest:
    description: What in O(src) learns who the machine is.
    type: str
    choices: [cloud-init, lbkit]
    default: cloud-init
  folder:
    description:
      - The store.
      - By default what E(LBKIT_IMAGES) says, C(/var/lib/lbkit/images) for root, C(~/.local/share/lbkit/images) for others.
    type: path
  lock_timeout:
    description: How long to wait for another one who makes an image of that name, such as V(30s) or V(2m).
    type: str
    default: 1h
notes:
  - Check mode reads O(src) whole, to compare it with O(sha256).
  - Use C(async) for a build that takes longer than a connection lasts.
seealso:
  - module: lbkit.core.topology
"""

EXAMPLES = r"""
- name: Build the image that load balancers run on
  lbkit.core.machine_image:
    recipe: debian-12-lb

- name: Build one with more in it
  lbkit.core.machine_image:
    recipe: debian-12-lb
    name: debian-12-named
    packages: [bind9]
    enable: [named.service]

- name: Take a ready cloud image
  lbkit.core.machine_image:
    name: debian-13
    src: /var/tmp/debian-13-genericcloud-amd64.qcow2
    sha256: 2f9a0e5b7d1c48f3a6c2be90714d85e36fa1c07b92d4e8530a7f6b1cd95e2480

- name: Remove all images of a name
  lbkit.core.machine_image:
    name: debian-11
    state: absent
"""

RETURN = r"""
image:
  description: The image, as C(lbkit image build --json) prints it.
  returned: when O(state=present), and it is there
  type: dict
  contains:
    identity:
      description: C(NAME@DIGEST), which is always just this one.
      type: str
      sample: debian-12-lb@07fb99bda3ad
    name:
      description: Its name.
      type: str
    digest:
      description: SHA-256 of the recipe, or of the file that was added.
      type: str
    guest:
      description: What in it learns who the machine is.
      type: str
    folder:
      description: Where its files are.
      type: str
    virtual_size:
      description: Bytes of its disk.
      type: int
    made:
      description: When it was made, in ISO 8601.
      type: str
    source:
      description: What it was made from.
      type: dict
plan:
  description:
    - The images that were made or removed, or would be in check mode, in the schema C(lbkit.plan/1).
    - M(lbkit.core.topology) tells its fields.
  returned: success
  type: dict
error:
  description: What was wanted, found, where, and what to do.
  returned: failure
  type: dict
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lbkit.core.plugins.module_utils import _lbkit


def wanted_of(params):
    from lbkit import images

    name = params["name"] or ""
    if params["recipe"]:
        packages, units = params["packages"] or (), params["enable"] or ()
        wanted = images.Built(params["recipe"], name, tuple(packages), tuple(units))
    elif params["sha256"]:
        wanted = images.Added(name, Path(params["src"] or ""), params["sha256"], params["guest"])
    else:
        return images.Absent(name)
    return images.Absent.just(wanted) if params["state"] == "absent" else wanted


def run(module):
    from lbkit import Host, images

    params = module.params
    host = Host(image_dir=Path(params["folder"])) if params["folder"] else Host()
    wanted = wanted_of(params)
    if module.check_mode:
        planned = images.plan(wanted, host)
    else:
        wait = _lbkit.wait_of(module, "lock_timeout")
        with _lbkit.following(module) as follow:
            planned = images.apply(wanted, host, lock_timeout=wait, watch=follow.step)
    image = images.find(wanted, host)
    more = {} if image is None else {"image": image.told()}
    return _lbkit.result_of(module, planned, "images now", "images as wanted", **more)


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "name": {"type": "str"},
            "recipe": {"type": "str"},
            "packages": {"type": "list", "elements": "str"},
            "enable": {"type": "list", "elements": "str"},
            "src": {"type": "path"},
            "sha256": {"type": "str"},
            "guest": {"type": "str", "choices": ["cloud-init", "lbkit"], "default": "cloud-init"},
            "folder": {"type": "path"},
            "lock_timeout": {"type": "str", "default": "1h"},
            **_lbkit.PROGRESS,
        },
        mutually_exclusive=[("recipe", "src"), ("recipe", "sha256")],
        required_one_of=[("name", "recipe")],
        required_if=[("state", "present", ("recipe", "src"), True)],
        required_by={"src": ("sha256", "name"), "sha256": "name", "packages": "recipe", "enable": "recipe"},
        supports_check_mode=True,
    )
    _lbkit.finish(module, run)


if __name__ == "__main__":
    main()
