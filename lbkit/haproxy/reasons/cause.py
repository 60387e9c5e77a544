"""From the evidence to the likely cause, in one sentence. Pure."""

from __future__ import annotations

from lbkit.haproxy.reasons.evidence import Evidence
from lbkit.haproxy.runtime import Row
from lbkit.haproxy.runtime.servers_state import Admin
from lbkit.network.netlink.lookup import NeighbourState

NOBODY = frozenset({NeighbourState.FAILED, NeighbourState.INCOMPLETE})


def cause(seen: Evidence) -> str:
    """What keeps traffic from it; "" where it gets its share."""
    if not seen.runs:
        return "HAProxy does not run"
    if seen.row is None:
        return "its configuration is not loaded yet: apply"
    if seen.hold is not None and (seen.admin.drain or seen.admin.maint):
        return f"it is {seen.hold}"
    if seen.admin.maint or seen.row.status.startswith("MAINT"):
        return _out_of_use(seen, "maintenance", "in maintenance")
    if seen.admin.drain or seen.row.status.startswith("DRAIN"):
        return _out_of_use(seen, "drain", "drained: it keeps its sessions and gets no new ones")
    return _of_one_that_is_up(seen, seen.row) if seen.row.up else _of_one_that_is_down(seen, seen.row)


def who_set(seen: Evidence) -> str:
    """Who took it out of use; "" where nobody did."""
    if seen.hold is not None:
        return f"it is {seen.hold}"
    if seen.admin & (Admin.RESOLUTION_MAINT | Admin.HOSTNAME_MAINT):
        return "by HAProxy: its name has no address"
    if seen.admin & (Admin.INHERITED_MAINT | Admin.INHERITED_DRAIN):
        return "by the server whose state it follows"
    if not (seen.admin.maint or seen.admin.drain):
        return ""
    if seen.server.state != "ready":
        return f"as declared (state: {seen.server.state})"
    if seen.admin & Admin.CONFIG_MAINT:
        return "by the configuration that is loaded"
    if seen.backend.mirror is not None and seen.row is not None:
        return _by_the_mirror(seen, seen.row)
    if seen.backend.health_check is not None and seen.backend.health_check.agent is not None:
        return "by its agent, or by hand at the runtime socket"
    return "by hand at the runtime socket"


def heard(row: Row) -> bool | None:
    """Whether its agent answered when it was asked last; None: it was not asked yet."""
    return None if row.agent in {"", "INI"} else row.agent in {"CHECKED", "L7OK", "L7OKC", "L7STS"}


def _by_the_mirror(seen: Evidence, row: Row) -> str:
    """Servers of a mirror's nodes begin drained, and their agents alone end that."""
    said = heard(row)
    if said is None:
        return "as lbkit begins: its agent was not asked yet"
    if not said:
        return f"by its agent or as lbkit begins, and now its agent does not answer ({row.agent})"
    name = f"{seen.backend.mirror.name}/{seen.server.name}" if seen.backend.mirror else seen.server.name
    return f"by its agent, as the mirror's keeper has judged the node: `lbkit explain {name}` says why"


def _out_of_use(seen: Evidence, state: str, words: str) -> str:
    who = who_set(seen) or "by a weight of 0"
    if seen.server.state == state:
        return f"it is {words}, {who}"
    if "by hand" in who:
        ready = f"`set server {seen.backend.name}/{seen.server.name} state ready` there ends that"
        return f"it is {words}, set so {who}; {ready}"
    return f"it is {words}, set so {who}"


def _of_one_that_is_up(seen: Evidence, row: Row) -> str:
    if row.weight == 0:
        if seen.server.weight == 0:
            return "its weight is 0, as declared"
        return f"its weight is 0 at run time, and {seen.server.weight} is declared: by hand, or by its agent"
    if seen.backend.stands_in_for is not None:
        return (
            f"it stands in: it gets requests only while no server of {seen.backend.stands_in_for} is in use"
        )
    if seen.server.backup and seen.others_up:
        return "it is a backup: it gets traffic only while no other server is up"
    if row.limit and row.sessions >= row.limit:
        waiting = f", and {row.queue} requests wait for it" if row.queue else ""
        return f"it has all {row.limit} connections that its maxconn allows{waiting}"
    if seen.tcp is not None and not seen.tcp.passed:
        if row.status == "no check":
            return f"it has no health check, so it gets requests although {_connection(seen)}"
        return "it stopped listening just now; the next checks will take it out"
    return ""


def _of_one_that_is_down(seen: Evidence, row: Row) -> str:
    if seen.tcp is not None and not seen.tcp.passed:
        return _connection(seen)
    if (
        seen.backend.mirror is not None
        and heard(row) is False
        and seen.asked is not None
        and seen.asked.passed
    ):
        return f"it serves, but its agent does not answer ({row.agent}): nobody knows whether it is stale"
    if row.check == "L4CON" and seen.asked is not None and seen.asked.code == "L4CON":
        port = seen.backend.health_check.port if seen.backend.health_check else None
        return f"nothing listens on the check's own port {port}"
    if row.check == "L6RSP" and seen.asked is not None and not seen.asked.code.startswith("L6R"):
        return (
            "TLS begins, but its certificate does not pass verification (who signed it, its name, its dates)"
        )
    if seen.asked is not None and seen.asked.passed:
        return "it passes its check again; the next checks will bring it back"
    return _check(seen, row)


def _connection(seen: Evidence) -> str:
    """Why no TCP connection comes about: from the nearest thing to the farthest."""
    path, behind, server = seen.path, seen.behind, seen.server
    down = ", ".join(sorted(name for name, link in path.links.items() if not link.up)) if path else ""
    if path is not None and path.refusal:
        links = f"; its link {down} is down" if down else ""
        return f"{seen.member} cannot send to {server.address}: {path.refusal}{links}"
    if path is not None and path.via is not None and down:
        return f"the link {down} of {seen.member} is down, and packets to {server.address} leave by {path.interface}"
    if path is not None and path.interface in path.links and not path.links[path.interface].carrier:
        return f"the link {path.interface} of {seen.member} is down"
    if behind is not None and not behind.stands:
        return f"its machine {behind.name} is gone: apply"
    if behind is not None and behind.down:
        return f"the link {', '.join(behind.down)} of its machine {behind.name} is down"
    if path is not None and path.neighbour in NOBODY:
        who = f"the gateway {path.via}" if path.via else f"{server.address}"
        return f"nobody answers for {who} on {path.interface} (ARP): the machine or its link is down"
    if seen.tcp is not None and seen.tcp.code == "L4CON":
        return _nothing_listens(seen)
    return f"nobody answers at {server.address}: the machine hangs, or a firewall drops packets"


def _nothing_listens(seen: Evidence) -> str:
    behind, port = seen.behind, seen.server.port
    words = f"the machine answers, but nothing listens on its port {port}"
    if behind is None or not behind.ports:
        return f"{words}: the service does not run, or has another port"
    if port not in behind.ports:
        known = ", ".join(f"{name} {number}" for number, name in sorted(behind.ports.items()))
        return f"{words}: a wrong port? {behind.name} has {known}"
    service = behind.ports[port]
    if service not in behind.running:
        return f"{words}: its service {service} does not run"
    return f"{words}: its service {service} runs, but does not listen"


def _check(seen: Evidence, row: Row) -> str:
    check = seen.backend.health_check
    code = seen.asked.code if seen.asked is not None and seen.asked.code else row.check
    words = seen.asked.words if seen.asked is not None else row.words
    if code == "L7STS" and check is not None:
        wanted = ", ".join(check.expect.status)
        status = row.code or words.removeprefix("status ")
        return f"it answers the check with status {status}, not {wanted}: the application says that it is not well"
    if code == "L7RSP":
        return f"it answers the check otherwise than expected: {words}"
    if code == "L7TOUT":
        return "it accepts connections and answers the check too late: it hangs, or is overloaded"
    if code == "L6TOUT":
        return "it accepts connections, but TLS does not begin in time"
    if code == "L6RSP":
        return f"TLS does not begin: {words}"
    if code in {"", "INI"}:
        return "its first check is not over"
    return words or row.words
