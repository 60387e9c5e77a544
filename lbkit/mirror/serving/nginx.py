"""nginx before a store: the generation that a client asked for, or the one that serves, and the ones before it for what has gone.

`Lbkit-Serial` in an answer says which generation it is of; in a request it asks for that one. Of a serial that has gone the one that
serves answers; of one that is not here yet nobody does (503), so that the load balancer asks another node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lbkit.base.errors import Mistake
from lbkit.mirror.sync.project import TRACE

SERIAL = "Lbkit-Serial"
CONFIG = "nginx.conf"


@dataclass(frozen=True, slots=True)
class Site:
    """`root` is the store's folder; `listen` are addresses with their ports, as nginx has them ("10.80.0.11:80", "[fd00::1]:80")."""

    name: str
    root: str
    listen: Sequence[str]
    keep: int


def config(sites: Sequence[Site], *, user: str = "") -> str:
    """The whole of nginx.conf. All that nginx writes itself is below the folder that it is started in (`-p`)."""
    lines = [
        "daemon off;",
        *([f"user {user};"] if user else []),
        "worker_processes auto;",
        "pid nginx.pid;",
        "error_log stderr warn;",
        "worker_shutdown_timeout 300s;",  # downloads under way end, but not for ever
        "events { worker_connections 4096; }",
        "http {",
        "    access_log off;",
        "    server_tokens off;",
        "    sendfile on;",
        "    tcp_nopush on;",
        "    default_type application/octet-stream;",
        *(
            f"    {kind}_temp_path tmp/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        ),
        *(f"    {line}" for site in sites for line in _site(site)),
        "}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _site(site: Site) -> Sequence[str]:
    root = _plain(site.root)
    word = site.name.replace("-", "_")
    older = [f"@{word}_before_{number}" for number in range(1, site.keep)]
    return [
        f"map $http_lbkit_serial $lbkit_{word}_asked {{",
        '    "~^[1-9][0-9]{0,9}$" serial/$http_lbkit_serial;',
        "    default current;",
        "}",
        f"map $realpath_root $lbkit_{word}_found {{",
        '    "~/gen-(?<lbkit_number>[0-9]+)$" $lbkit_number;',
        '    default "";',
        "}",
        "server {",
        *(f"    listen {each};" for each in site.listen),
        f"    root {root}/$lbkit_{word}_asked/0;",
        f"    set $lbkit_serial $lbkit_{word}_found;",  # now, while the root is this one
        f"    add_header {SERIAL} $lbkit_serial always;",
        '    if ($lbkit_serial = "") { return 503; }',
        "    disable_symlinks off;",
        "    recursive_error_pages on;",
        f"    location = /{TRACE} {{ default_type application/json; }}",
        *_location("/", "", older[:1], autoindex=True),
        *(
            line
            for number, name in enumerate(older, start=1)
            for line in _location(name, f"{root}/$lbkit_{word}_asked/{number}", older[number : number + 1])
        ),
        "}",
    ]


def _location(name: str, root: str, then: Sequence[str], *, autoindex: bool = False) -> Sequence[str]:
    return [
        f"    location {name} {{",
        *([f"        root {root};"] if root else []),
        *(["        autoindex on;"] if autoindex else []),
        *([f"        error_page 404 = {then[0]};"] if then else []),
        "    }",
    ]


def _plain(path: str) -> str:
    """A path as nginx's configuration takes it for one word, whatever it is."""
    if not path.startswith("/") or any(character in path for character in " \t\r\n;{}'\"\\$#"):
        raise Mistake("the folder of a mirror was to have a plain path", found=repr(path)[:300])
    return path
