"""What HAProxy itself says that it has, and what the document says that it should: neither asks lbkit."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from tests.haproxy.soak import load
from tests.haproxy.soak.apps import asked_while_sick
from tests.haproxy.soak.changes import is_good
from tests.haproxy.soak.town import Town
from tests.haproxy.world import until


@dataclass(frozen=True)
class Seen:
    """`up`: who gets requests, or would but for its admin state and weight."""

    servers: dict[str, str]
    up: dict[str, bool]
    tables: dict[str, list[str]]
    certificates: dict[str, str]


def seen(town: Town) -> Seen:
    servers, up = {}, {}
    rows = list(csv.DictReader(town.ask("show stat").lstrip("# ").splitlines()))
    limits = {f"{row['pxname']}/{row['svname']}": row["slim"] or "0" for row in rows}
    # a try that fails and is made again elsewhere is one that no client sees
    tries = {
        f"{row['pxname']}/{row['svname']}": f"{row['wretr']} {row['wredis']} {row['econ']}" for row in rows
    }
    _, head, *lines = town.ask("show servers state").strip().splitlines()
    for line in lines:
        row = dict(zip(head.removeprefix("# ").split(), line.split(), strict=True))
        name = f"{row['be_name']}/{row['srv_name']}"
        flags = int(row["srv_admin_state"])
        admin = "maint" if flags & 0x01 else "drain" if flags & 0x08 else "ready"
        checks = int(row["srv_check_state"])
        checked = "checked" if checks & 4 else "not checked" if checks & 2 else "no check"
        # what is paused in maintenance is no difference
        servers[name] = (
            f"{row['srv_addr']}:{row['srv_port']} weight {row['srv_uweight']} maxconn {limits[name]} {admin} {checked}"
        )
        up[name] = row["srv_op_state"] in {"1", "2"}
        assert tries[name] == "0 0 0", f"{name}: retries, redispatches, failed connections: {tries[name]}"
    return Seen(servers, up, _tables(town), _certificates(town))


def _tables(town: Town) -> dict[str, list[str]]:
    found = {}
    for kind in ("map", "acl"):
        for path in re.findall(r"\(((?:maps|lists)/\S+)\)", town.ask(f"show {kind}")):
            entries = town.ask(f"show {kind} {path}").strip().splitlines()
            found[path] = [entry.partition(" ")[2] for entry in entries]
    for path in re.findall(r"^(certs/\S+)", town.ask("show ssl crt-list"), re.MULTILINE):
        lines = town.ask(f"show ssl crt-list {path}").strip().splitlines()
        found[path] = sorted(line for line in lines if not line.startswith("#"))
    return found


def _certificates(town: Town) -> dict[str, str]:
    found = {}
    for path in re.findall(r"^(certs/\S+)", town.ask("show ssl cert"), re.MULTILINE):
        match = re.search(r"SHA1 FingerPrint: (\S+)", town.ask(f"show ssl cert {path}"))
        found[path] = match[1] if match else ""
    return found


def as_declared(town: Town) -> None:
    """All that HAProxy has is what the document says. Who is well is up soon, and who is not never is."""
    now = seen(town)
    assert now.servers == _servers(town)
    assert now.certificates == {
        f"certs/{name}.pem": _pem(town, name).fingerprint(hashes.SHA1()).hex().upper() for name in _used(town)
    }
    for which in ("allow", "deny"):
        listed = {f"{each}/32" if "/" not in each else each for each in town.shop["frontends"]["http"][which]}
        assert set(now.tables[f"lists/http.{which}.list"]) == listed
    health = _health(town)
    until(lambda: seen(town).up == health, f"who is well is up: {seen(town).up} and not {health}")


def _servers(town: Town) -> dict[str, str]:
    found = {}
    held = town.holds.in_force
    for backend, settings in town.shop["backends"].items():
        for each in settings["servers"]:
            name = f"{backend}/{each['name']}"
            state = each.get("state", "ready")
            state = "drain" if state == "ready" and f"shop/{name}" in held else state
            checked = "checked" if settings["health_check"] else "no check"
            found[name] = (
                f"{each['address']}:{each['port']} weight {each.get('weight', 1)} maxconn {each.get('maxconn') or 0} "
                f"{'maint' if state == 'maintenance' else state} {checked}"
            )
    return found


def _health(town: Town) -> dict[str, bool]:
    """Of all servers; in maintenance none is up."""
    return {
        f"{backend}/{each['name']}": is_good(each) and each.get("state", "ready") != "maintenance"
        for backend, settings in town.shop["backends"].items()
        for each in settings["servers"]
    }


def serves_as_declared(town: Town) -> None:
    """By clients: each route leads where it says, each name gets its certificate, no sick server is asked anything."""
    routes: list[dict[str, Any]] = town.shop["frontends"]["http"]["routes"]
    for route in routes:
        where = route.get("path") or route["path_prefix"]
        if "backend" in route and "host" not in route:
            assert load.backend_of(load.ask(where)) == route["backend"], route
        elif "host" in route:
            status, said = load.status(where, route["host"])
            if "backend" in route:
                assert load.backend_of(said) == route["backend"], route
            else:
                wanted = (route.get("redirect") or {}).get("code") or route["reject"]
                assert status == wanted, route
    led = {route["path_prefix"] for route in routes if "path_prefix" in route and "host" not in route}
    for where in {path for path in load.PATHS if path.startswith("/r")}:
        if f"/{where.split('/')[1]}" not in led:
            assert load.backend_of(load.ask(where)) == "web", where
    for name in _used(town):
        host = "shop.test" if name == "main" else f"{name}.test"
        assert load.served_certificate(host) == _pem(town, name).public_bytes(Encoding.DER), host
    assert asked_while_sick(town.app) == 0


def leaves_nothing_behind(town: Town) -> None:
    """In HAProxy's folder are the files that are wanted, and no other."""
    folder = Path(str(town.instance.path("")))
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    wanted = {f"certs/{name}.pem" for name in _used(town)} | {
        "certs/https.list",
        "haproxy.cfg",
        "servers.state",
        "log",
    }
    wanted |= {f"maps/http.{kind}.map" for kind in ("exact", "prefix")}
    wanted |= {f"lists/http.{which}.list" for which in ("allow", "deny")}
    # of one that was killed just before it gave a file its name; the next one that writes it clears that away
    found -= {
        f"{path.rpartition('/')[0]}/.{path.rpartition('/')[2]}.lbkit-new".lstrip("/") for path in wanted
    }
    assert found == wanted, f"too many: {sorted(found - wanted)}; missing: {sorted(wanted - found)}"


def _used(town: Town) -> list[str]:
    found: list[str] = town.shop["frontends"]["https"]["bind"]["tls"]
    return found


def _pem(town: Town, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((town.folder / f"{name}.pem").read_bytes())


def state_file(town: Town) -> str:
    return Path(str(town.instance.path("servers.state"))).read_text()


def comes_back(town: Town) -> None:
    """After `kill -9` of all of HAProxy, a start from what lies on disk gives what there was before."""
    before = seen(town)
    town.kill()
    with town.started_by_itself():
        after = seen(town)
        assert after.servers == before.servers
        # an apply does not wait for the checks of one that gets no requests: it may be found up a little later
        serving = [name for name, up in before.up.items() if up and " ready " in before.servers[name]]
        lost = [name for name in serving if not after.up[name]]
        assert not lost, f"who was up is up: {lost}; {state_file(town)}"
        risen = sorted(name for name, up in after.up.items() if up and not before.up[name])
        assert not risen, f"who was not up is not: {risen}; {state_file(town)}"
        assert after.certificates == before.certificates
        assert {path: sorted(lines) for path, lines in after.tables.items()} == {
            path: sorted(lines) for path, lines in before.tables.items()
        }
        as_declared(town)
        serves_as_declared(town)
