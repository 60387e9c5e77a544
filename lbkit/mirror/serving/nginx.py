"""nginx before stores, one for all mirrors of a machine: the generation that a client asked for, or the one that serves, and the ones
before it for what has gone, and the newest for what is to come. A mirror is at /NAME/.

`Lbkit-Serial` in an answer says which generation it is of; in a request it asks for that one. Of a serial that has gone the one that
serves answers; of one that is not here yet nobody does (503), so that the load balancer asks another node.

A cache may keep all of it and must ask each time (`no-cache`): whether a file is an index or never changes, a mirror does not know.
nginx's ETag is time and size; both are the manifest's, so all nodes say the same. It is wrong for a file that was written anew within
one second in the same size. Of a stage that is compared by content that is to be expected: there an ETag is the generation's serial,
and time counts for nothing.

Links are followed: that they stay in the tree was made sure of when it was made (manifest.py), and it does not change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lbkit.base.errors import Mistake
from lbkit.mirror.sync.project import TRACE, Stage
from lbkit.mirror.tree.views import AT, CURRENT, SERIALS, VIEW

SERIAL = "Lbkit-Serial"
CONFIG, PID = "nginx.conf", "nginx.pid"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FOLDER = re.compile(r"(?:(?!\.{1,2}/)[A-Za-z0-9._+~@-]+/)+")

_TYPES: Mapping[str, str] = {
    "text/html": "html htm",
    "text/plain": "txt asc md log",
    "text/css": "css",
    "text/xml": "xml",
    "application/json": "json",
    "application/javascript": "js",
    "image/png": "png",
    "image/jpeg": "jpg jpeg",
    "image/svg+xml": "svg",
}
"""What browsers show; all else they save."""


@dataclass(frozen=True, slots=True)
class Site:
    """A mirror. `root` is its store's folder, `name` what its trees are called there; `listen` are addresses with their ports, as nginx
    has them ("10.80.0.11:80", "[fd00::1]:80"). `stages` are those that it is fetched in.
    """

    name: str
    root: str
    listen: Sequence[str]
    keep: int
    stages: Sequence[Stage] = ()


def config(sites: Sequence[Site], *, user: str = "", connections: int = 4096) -> str:
    """The whole of nginx.conf. All that nginx writes itself is below the folder that it is started in (`-p`).

    `user` is a user and its group, as nginx has them; `connections` are at most, of each of its workers.
    """
    lines = [
        "daemon off;",
        *([f"user {user};"] if user else []),
        "worker_processes auto;",
        f"pid {PID};",
        "error_log stderr warn;",
        "worker_shutdown_timeout 3600s;",  # downloads under way end, but not for ever
        f"events {{ worker_connections {connections}; }}",
        "http {",
        "    access_log off;",
        "    log_not_found off;",
        "    uninitialized_variable_warn off;",  # a request that is none never comes to where they are set
        "    server_tokens off;",
        "    absolute_redirect off;",  # by which name and port it was asked, the load balancer knows
        "    sendfile on;",
        "    tcp_nopush on;",
        "    default_type application/octet-stream;",
        "    types {",
        *(f"        {kind} {endings};" for kind, endings in _TYPES.items()),
        "    }",
        *(
            f"    {kind}_temp_path tmp/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        ),
        "    map $http_lbkit_serial $lbkit_asked {",
        f'        "~^[1-9][0-9]{{0,9}}$" {SERIALS}/$http_lbkit_serial;',
        f"        default {CURRENT};",
        "    }",
        "    map $uri $lbkit_store {",
        *(f'        "~^/{re.escape(_name(site))}/" {_plain(site.root)};' for site in sites),
        '        default "";',
        "    }",
        "    map $realpath_root $lbkit_found {",
        f'        "~/{VIEW}(?<lbkit_number>[0-9]+)/{AT}0$" $lbkit_number;',
        '        default "";',
        "    }",
        *(f"    {line}" for listen, served in _servers(sites) for line in _server(listen, served)),
        "}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _servers(sites: Iterable[Site]) -> Iterator[tuple[Sequence[str], Sequence[Site]]]:
    """Addresses that have the same sites, with those: none is in two of them."""
    by_address: dict[str, list[Site]] = {}
    for site in sites:
        for address in site.listen:
            by_address.setdefault(address, []).append(site)
    by_sites: dict[tuple[str, ...], list[str]] = {}
    for address, served in by_address.items():
        by_sites.setdefault(tuple(site.name for site in served), []).append(address)
    for addresses in by_sites.values():
        yield addresses, by_address[addresses[0]]


def _server(listen: Sequence[str], sites: Sequence[Site]) -> Iterator[str]:
    yield "server {"
    yield from (f"    listen {each};" for each in listen)
    yield f"    root $lbkit_store/$lbkit_asked/{AT}0;"  # for the serial alone: one that serves may be another in a moment
    yield '    set $lbkit_serial "";'
    yield "    if (-d $document_root) { set $lbkit_serial $lbkit_found; }"
    yield from (f"    {line}" for line in _headers())
    yield "    location / { return 404; }"
    links = "".join(f"<li><a href='/{site.name}/'>{site.name}</a></li>" for site in sites)
    page = f"<!DOCTYPE html><title>Mirrors</title><h1>Mirrors</h1><ul>{links}</ul>\\n"
    yield from (
        f"    {line}" for line in _location("= /", ["default_type text/html;", f'return 200 "{page}";'])
    )
    for number, site in enumerate(sites):
        yield from (f"    {line}" for line in _site(site, f"@gone_{number}"))
    yield "}"


def _site(site: Site, gone: str) -> Iterator[str]:
    view = f"{site.root}/{VIEW}$lbkit_serial"
    begin = ['if ($lbkit_serial = "") { return 503; }', f"error_page 404 = {gone};"]
    newest = f"{site.root}/{CURRENT}/{AT}0"
    found = [
        "root $lbkit_tree;",
        *begin,
        f"set $lbkit_tree {view}/{AT}0;",
        # who saw a later index elsewhere gets what that names; of what an index of this generation names nothing is there
        f"if (-e {newest}$uri) {{ set $lbkit_tree {newest}; }}",
        *(
            f"if (-e {view}/{AT}{number}$uri) {{ set $lbkit_tree {view}/{AT}{number}; }}"
            for number in reversed(range(site.keep))
        ),
        "autoindex on;",
    ]
    folders = {"": False} | {_folder(stage.folder): stage.contents for stage in site.stages}
    for folder, contents in folders.items():  # the most particular one has a file, here as there
        yield from _location(f"/{site.name}/{folder}", [*found, *(_tagged() if contents else ())])
    yield from _location(f"= /{site.name}", [f"return 301 /{site.name}/;"])
    of_this = [f"root {view}/{AT}0;", *begin, "default_type application/json;", *_tagged()]
    yield from _location(f"= /{site.name}/{TRACE}", of_this)  # of another generation it would be wrong
    # the view has gone between two looks: what was said of it counts for nothing
    yield from _location(gone, [f"if (-d {view}) {{ return 404; }}", "return 503;"])


def _location(name: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"location {name} {{"
    yield from (f"    {line}" for line in lines)
    yield "}"


def _tagged() -> Sequence[str]:
    """An ETag is the generation's."""
    return [
        "etag off;",
        "if_modified_since off;",
        *_headers(),
        'add_header Last-Modified "";',
        "add_header ETag '\"$lbkit_serial\"';",
        "if ($http_if_none_match = '\"$lbkit_serial\"') { return 304; }",
    ]


def _headers() -> Sequence[str]:
    return [f"add_header {SERIAL} $lbkit_serial always;", "add_header Cache-Control no-cache always;"]


def _name(site: Site) -> str:
    if not _NAME.fullmatch(site.name):
        raise Mistake("a mirror was to have a plain name", found=repr(site.name)[:300])
    return site.name


def _folder(path: str) -> str:
    """With its slash at the end; "" is the whole tree."""
    folder = f"{path.strip('/')}/" if path else ""
    if folder and not _FOLDER.fullmatch(folder):
        raise Mistake("a folder of a mirror was to have a plain path", found=repr(path)[:300])
    return folder


def _plain(path: str) -> str:
    """A path as nginx's configuration takes it for one word, whatever it is."""
    if not path.startswith("/") or any(character in path for character in " \t\r\n;{}'\"\\$#"):
        raise Mistake("the folder of a mirror was to have a plain path", found=repr(path)[:300])
    return path
