"""One process of the model: what it read from its folder, and what it answers at its runtime socket."""

from __future__ import annotations

import hashlib
import itertools
import re
import shlex
from collections.abc import Mapping

from lbkit.haproxy import capabilities
from tests.haproxy.model.server import AGENT, CONFIGURED, ENABLED, FMAINT, ModelServer, words_of
from tests.haproxy.model.stored import Certificates, Patterns
from tests.haproxy.model.world import Place, Target, World

_PIDS = itertools.count(100)
_STATE_HEAD = (
    "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state "
    "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr "
    "srv_agent_addr srv_agent_port"
)
_STAT = (
    "pxname,svname,qcur,scur,slim,stot,bin,bout,ereq,econ,eresp,status,weight,act,bck,lastchg,rate,req_rate,"
    "check_status,check_code,hrsp_5xx,req_tot,last_chk,check_desc,addr,cookie,mode,agent_status,last_agt"
)
_FILE = re.compile(r"(?<![\w/])((?:certs|maps)/[\w.*-]+)")
_NOT_SERVER = "No such server."


class Refused(Exception):
    """HAProxy does not take its configuration, for this."""


def place_of(text: str) -> Place:
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)


class Worker:
    """`files` by path. `servers` in their order, by BACKEND/SERVER."""

    def __init__(self, world: World, version: str, files: Mapping[str, bytes]) -> None:
        self.world = world
        self.version = version
        self.pid = next(_PIDS)
        self.files = files
        self.text = files["haproxy.cfg"].decode()
        self.lines = [
            line for line in self.text.splitlines() if line.strip() and not line.lstrip().startswith("#")
        ]
        self.backends: dict[str, list[str]] = {}
        self.servers: dict[str, ModelServer] = {}
        self.maps: dict[str, Patterns] = {}
        self.acls: dict[str, Patterns] = {}
        self.certificates = Certificates()
        self.cuts: list[str] = []
        self._read()

    # reading

    def _read(self) -> None:
        for path in dict.fromkeys(_FILE.findall("\n".join(self.lines))):
            if path not in self.files:
                raise Refused(f"unable to open file {path}")
        self._read_files()
        backend = ""
        for line in self.lines:
            if not line[0].isspace():
                kind, _, name = line.partition(" ")
                backend = name.strip() if kind == "backend" else ""
                if backend:
                    self.backends[backend] = []
            elif backend:
                self.backends[backend].append(line.strip())
        for backend, lines in self.backends.items():
            for line in lines:
                words = shlex.split(line)
                if words[0] == "server":
                    self._server(backend, words[1:], self._defaults(backend), dynamic=False)
        self._read_state()

    def _defaults(self, backend: str) -> list[str]:
        lines = (shlex.split(line) for line in self.backends[backend])
        return [word for words in lines if words[0] == "default-server" for word in words[1:]]

    def _server(self, backend: str, words: list[str], defaults: list[str], *, dynamic: bool) -> None:
        own, place, *rest = words
        known = {server.number for name, server in self.servers.items() if name.startswith(f"{backend}/")}
        number = next(number for number in itertools.count(1) if number not in known)
        name = f"{backend}/{own}"
        said = words_of([*defaults, *rest])
        self.servers[name] = ModelServer.made(
            self.world, name, place_of(place), said, number, dynamic=dynamic
        )

    def _read_state(self) -> None:
        if "load-server-state-from-file global" not in self.text:
            return
        first, *lines = self.files.get("servers.state", b"1\n").decode().splitlines()
        if first != "1":
            return
        seen = set()
        for line in lines:
            row = line.split()
            if not row or line.startswith("#"):
                continue
            if len(row) < 20:
                return  # all lines are lost
            name = f"{row[1]}/{row[3]}"
            if name in self.servers and name not in seen:
                seen.add(name)
                if row[10] == "0":
                    raise Refused(
                        "the worker would crash at the first check of a server: srv_check_status is 0"
                    )
                self.servers[name].take_line(row)

    def _read_files(self) -> None:
        text = "\n".join(self.lines)
        for path in re.findall(r"map(?:_\w+)?\((maps/[^,)]+)", text):
            self.maps[path] = Patterns(self._entries(path))
        for path in re.findall(r"-f (maps/\S+)", text):
            self.acls[path] = Patterns(self._entries(path))
        fixed = set()
        for path in re.findall(r" crt (certs/\S+)", text):
            self.certificates.serve[path] = self._file(path)
            fixed.add(path)
        for path in re.findall(r" crt-list (certs/\S+)", text):
            lines = self._entries(path)
            self.certificates.lists[path] = dict(enumerate(lines, 1))
            for line in lines:
                self.certificates.serve[line.split()[0]] = self._file(line.split()[0])
        for path in re.findall(r" ca-file (certs/\S+)", text):
            self.certificates.authorities[path] = self._file(path)
        self.certificates.fixed = frozenset(fixed)

    def _entries(self, path: str) -> list[str]:
        return [line for line in self._file(path).splitlines() if line and not line.startswith("#")]

    def _file(self, path: str) -> str:
        if path not in self.files:
            raise Refused(f"unable to open file {path}")
        return self.files[path].decode()

    # time and requests

    def due(self) -> float | None:
        return min(
            (due for server in self.servers.values() if (due := server.due()) is not None), default=None
        )

    def come(self, now: float) -> None:
        for server in self.servers.values():
            if (due := server.due()) is not None and due <= now:
                server.come()

    def serving(self) -> dict[str, tuple[Target, ...]]:
        found = {}
        for backend in self.backends:
            mine = [server for name, server in self.servers.items() if name.startswith(f"{backend}/")]
            usable = [server for server in mine if server.usable]
            chosen = [server for server in usable if not server.backup] or usable[:1]
            found[backend] = tuple(
                Target(server.name, server.place, "check" in server.words) for server in chosen
            )
        return found

    # commands

    def answer(self, line: str, payload: str | None) -> str:
        """The reply, without the prompt."""
        words = shlex.split(line.replace("\\", "\\\\") if "\\ " not in line else line)
        changes = words[0] not in {"prompt", "show"}
        if changes:
            self.world.does(line)
        reply = self._answer(words, payload)
        if changes:
            self.world.request()
        return reply

    def _answer(self, words: list[str], payload: str | None) -> str:
        match words:
            case ["prompt"]:
                return ""
            case ["show", "info"]:
                return self._info()
            case ["show", "stat"]:
                return self._stat()
            case ["show", "servers", "state", *backend]:
                return self._state(*backend)
            case ["show", ("map" | "acl") as kind, path]:
                table = self._tables(kind).get(path)
                return (
                    table.shown()
                    if table
                    else f"Unknown {_named(kind)} identifier. Please use #<id> or <file>.\n"
                )
            case ["prepare", ("map" | "acl") as kind, path]:
                table = self._tables(kind).get(path)
                return (
                    table.prepare()
                    if table
                    else f"Unknown {_named(kind)} identifier. Please use #<id> or <file>.\n"
                )
            case ["add", "map", version, path]:
                return self.maps[path].add(int(version[1:]), (payload or "").splitlines())
            case ["add", "map", version, path, key, value]:
                return self.maps[path].add(int(version[1:]), [f"{key} {value}"])
            case ["add", "acl", version, path, pattern]:
                return self.acls[path].add(int(version[1:]), [pattern])
            case ["commit", ("map" | "acl") as kind, version, path]:
                return self._tables(kind)[path].commit(int(version[1:]))
            case [verb, "ssl", *rest]:
                return self._tls(verb, rest, payload or "")
            case ["add", "server", name, *rest]:
                return self._add(name, rest)
            case ["del", "server", name]:
                return self._del(name)
            case ["set", "server", name, *rest] | ["set", "maxconn", "server", name, *rest]:
                return self._set(name, rest, limit=words[1] == "maxconn")
            case ["enable" | "disable", "health" | "agent", name]:
                return self._able(words[0], words[1], name)
            case ["shutdown", "sessions", "server", name]:
                return self._shutdown(name)
        return (
            f"Unknown command: '{words[0]}', but maybe one of the following ones is a better match:\n  help\n"
        )

    def _tables(self, kind: str) -> dict[str, Patterns]:
        return self.maps if kind == "map" else self.acls

    def _info(self) -> str:
        description = next((line.split(None, 1)[1] for line in self.lines if "description " in line), "")
        return (
            f"Name: HAProxy\nVersion: {self.version}\nPid: {self.pid}\nUptime_sec: 1\nMaxconn: 2000\nCurrConns: 0\n"
            f"Stopping: 0\ndescription: {description}\n"
        )

    def _stat(self) -> str:
        columns = _STAT.split(",")
        rows = [server.stat_line() for server in self.servers.values()]
        lines = [",".join(row.get(column, "") for column in columns) for row in rows]
        return "\n".join([f"# {_STAT},", *(f"{line}," for line in lines)]) + "\n"

    def _state(self, backend: str | None = None) -> str:
        if backend is not None and backend not in self.backends:
            return "Can't find backend.\n"
        lines = [
            server.state_line(list(self.backends).index(name.partition("/")[0]) + 2)
            for name, server in self.servers.items()
            if backend is None or name.startswith(f"{backend}/")
        ]
        return "\n".join(["1", _STATE_HEAD, *lines]) + "\n"

    def _add(self, name: str, words: list[str]) -> str:
        can = capabilities.of(self.version)
        backend, _, own = name.partition("/")
        if backend not in self.backends:
            return "No such backend.\n"
        if name in self.servers:
            return "Already exists a server with the same name in backend.\n"
        balance = next(
            (line.split()[1] for line in self.backends[backend] if line.startswith("balance ")), "roundrobin"
        )
        consistent = any(line.startswith("hash-type consistent") for line in self.backends[backend])
        if not can.is_dynamic(balance, consistent=consistent):
            return "Backend must use a dynamic load balancing to support dynamic servers.\n"
        said = words_of(words[1:])
        for word in said:
            if word == "cookie" and word not in can.server_keywords:
                return "'cookie' option is not accepted for dynamic server\n"
            if word not in can.server_keywords:
                return f"'{word}' unknown keyword\n"
        for word in ("ca-file", "crt"):
            known = self.certificates.authorities if word == "ca-file" else self.certificates.serve
            if word in said and said[word] not in known and said[word] != "@system-ca":
                return f"'{word}' : unable to load {said[word]}.\n"
        self._server(backend, [own, *words], [], dynamic=True)
        return "New server registered.\n"

    def _del(self, name: str) -> str:
        server = self.servers.get(name)
        if server is None:
            return f"{_NOT_SERVER}\n"
        if not server.admin & FMAINT:
            return "Only servers in maintenance mode can be deleted.\n"
        if server.sessions:
            return "Server still has connections attached to it, cannot remove it.\n"
        del self.servers[name]
        return "Server deleted.\n"

    def _set(self, name: str, words: list[str], *, limit: bool) -> str:
        server = self.servers.get(name)
        if server is None:
            return f"{_NOT_SERVER}\n"
        if limit:
            server.maxconn = int(words[0])
            return ""
        match words:
            case ["weight", weight]:
                return self._weigh(server, int(weight))
            case ["state", "ready" | "drain" | "maint" as state]:
                server.set_state(state)
            case ["state", _]:
                return "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n"
            case ["health", "up" | "down" as health]:
                server.set_health(health)
            case ["addr", address, "port", port]:
                return self._move(server, (address, int(port)))
            case _:
                return "'set server <srv>' only supports 'agent', 'health', 'state', 'weight', 'addr'.\n"
        return ""

    def _weigh(self, server: ModelServer, weight: int) -> str:
        backend = server.name.partition("/")[0]
        lines = self.backends[backend]
        balance = next((line.split()[1] for line in lines if line.startswith("balance ")), "roundrobin")
        consistent = any(line.startswith("hash-type consistent") for line in lines)
        if weight > 256:
            return "Absolute weight can only be between 0 and 256 inclusive.\n"
        if not capabilities.of(self.version).is_dynamic(balance, consistent=consistent):
            return "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.\n"
        server.weight = weight
        return ""

    def _move(self, server: ModelServer, place: Place) -> str:
        (address, port), (new, new_port) = server.place, place
        server.set_place(place)
        if self.version.startswith("2."):
            first = (
                f"IP changed from '{address}' to '{new}'" if address != new else "no need to change the addr"
            )
            then = (
                f"port changed from '{port}' to '{new_port}'"
                if port != new_port
                else "no need to change the port"
            )
            return f"{first}, {then} by 'stats socket command'\n"
        changes = [f"IP changed from '{address}' to '{new}'"] if address != new else []
        changes += [f"port changed from '{port}' to '{new_port}'"] if port != new_port else []
        return f"{', '.join(changes)} by 'stats socket command'\n" if changes else "nothing changed\n"

    def _able(self, verb: str, what: str, name: str) -> str:
        server = self.servers.get(name)
        if server is None:
            return f"{_NOT_SERVER}\n"
        if what == "health":
            if verb == "enable":
                return f"{said}\n" if (said := server.enable_health()) else ""
            server.disable_health()
        elif verb == "disable":
            server.agent &= ~ENABLED
        elif not server.agent & CONFIGURED:
            return "Agent was not configured on this server, cannot enable.\n"
        else:
            server.agent |= ENABLED | AGENT
        return ""

    def _shutdown(self, name: str) -> str:
        server = self.servers.get(name)
        if server is None:
            return f"{_NOT_SERVER}\n"
        self.cuts += [f"{self.world.now:.2f} {name}"] * server.sessions
        server.ends.clear()
        return ""

    def _tls(self, verb: str, words: list[str], payload: str) -> str:
        have = self.certificates
        match [verb, *words]:
            case ["show", "cert"]:
                return have.names()
            case ["show", "cert", path]:
                return have.one(path)
            case ["show", "crt-list", "-n", path]:
                return have.show_list(path)
            case ["show", "ca-file"]:
                return have.authority_names()
            case ["show", "ca-file", path]:
                return have.authority(path)
            case ["abort", "ca-file", path]:
                return have.abort_authority(path)
            case ["new", "cert", path]:
                return have.new(path)
            case ["set", "cert", path]:
                return have.set(path, payload, self.version)
            case ["commit", "cert", path]:
                return have.commit(path)
            case ["abort", "cert", path]:
                return have.abort(path)
            case ["del", "cert", path]:
                return have.delete(path)
            case ["add", "crt-list", path, *line]:
                return have.add_to_list(path, line[0] if line else payload)
            case ["del", "crt-list", path, entry]:
                return have.del_from_list(path, entry)
            case ["set", "ca-file", path]:
                return have.set_authority(path, payload)
            case ["commit", "ca-file", path]:
                return have.commit_authority(path)
        return f"Unknown command: '{verb}'\n"


def _named(kind: str) -> str:
    return "map" if kind == "map" else "ACL"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
