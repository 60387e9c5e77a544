# Copyright: lbkit maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A zone's server from a module's parameters. Private to this collection; documented by the fragment lbkit.core.dns."""

from __future__ import annotations

from pathlib import Path

SERVER = {
    "server": {"type": "str", "required": True},
    "port": {"type": "int", "default": 53},
    "zone": {"type": "str", "required": True},
    "key": {
        "type": "dict",
        "no_log": False,
        "options": {
            "name": {"type": "str", "required": True},
            "algorithm": {
                "type": "str",
                "choices": ["hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"],
                "default": "hmac-sha256",
            },
            "secret_file": {"type": "path", "no_log": False},
            "secret": {"type": "str", "no_log": True},
        },
        "mutually_exclusive": [("secret_file", "secret")],
        "required_one_of": [("secret_file", "secret")],
    },
}


def zone_server(module):
    """Where the module's zone is changed, and by which key. The zone is that of its records where the module lets it be left out."""
    from lbkit import zones

    params = module.params
    if params["zone"] is None:
        return zones.zone_server_for(params["server"], params["records"], params["port"], _key(params["key"]))
    return zones.ZoneServer(params["server"], params["zone"], params["port"], _key(params["key"]))


def _key(given):
    from lbkit import zones

    if not given:
        return None
    file = given["secret_file"]
    return zones.tsig_key(
        given["name"],
        algorithm=given["algorithm"],
        secret_file=Path(file) if file else None,
        secret=given["secret"],
    )
