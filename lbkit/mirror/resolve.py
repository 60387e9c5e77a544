"""From the section `mirrors` to mirrors with everything filled in, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from lbkit.base.errors import Mistake
from lbkit.base.files import read_given, shown
from lbkit.base.problems import Path as Place
from lbkit.base.problems import near
from lbkit.base.secrets import Secret, read_secret_file
from lbkit.engine.book import Endpoint, IPAddress
from lbkit.engine.resource import Key
from lbkit.engine.scope import Draft
from lbkit.machine.resolved import Machines
from lbkit.mirror.keys import Keys
from lbkit.mirror.ports import RSYNC_PORT, Ports, ports_of
from lbkit.mirror.programs import services
from lbkit.mirror.resolved import HTTP_SERVICE, Mirrors, ResolvedMirror
from lbkit.mirror.spec import Mirror
from lbkit.mirror.spec import Mirrors as Section
from lbkit.mirror.sync.upstream import parse

LEAST_SECRET = 32  # bytes that the secret of a mirror has at least
MOST_FILE = 1 << 20  # bytes of a file that a mirror's upstream needs


def resolve(section: Section, draft: Draft) -> Mirrors:
    """The machines must be resolved; they are given what they are to run."""
    machines: Machines = draft.resolved["machine"]
    found = {}
    claims = _Claims(draft)
    for name, declared in section.root.items():
        if draft.is_broken("mirrors", name):
            continue
        resolved = _Resolving(name, declared, machines, draft, claims).resolved()
        if resolved is None:
            draft.broken.add(("mirrors", name))
        else:
            found[name] = resolved
    for machine, service in services(found.values()):
        machines.commission(machine, service)
    for mirror in found.values():
        _enter(mirror, draft)
    return Mirrors(found)


@dataclass(slots=True)
class _Claims:
    """What only one mirror may have on a machine."""

    draft: Draft
    taken: dict[tuple[str, str], str] = field(default_factory=dict)

    def claim(self, machine: str, what: str, owner: str, path: Place, remedy: str) -> None:
        """`owner` as a person reads it; who claims the same again has it."""
        other = self.taken.setdefault((machine, what), owner)
        if other != owner:
            self.draft.problems.add(
                path,
                "what nothing else of its machines' mirrors has",
                found=f"{what} of {machine} is {other}'s",
                remedy=remedy,
            )


@dataclass(slots=True)
class _Resolving:
    """Of one mirror."""

    name: str
    declared: Mirror
    machines: Machines
    draft: Draft
    claims: _Claims

    def resolved(self) -> ResolvedMirror | None:
        """None where something is wrong that others would stumble over; it is said."""
        said = len(list(self.draft.problems))
        master, nodes = self._master(), self._nodes()
        upstream, files = self._upstream()
        keys = self._keys(master or "")
        self._check_stages()
        self._check_folders(master or "")
        network = self._network([master, *nodes]) if master and nodes else None
        if master is None or not nodes or network is None or keys is None or upstream is None:
            return None
        members = dict.fromkeys((master, *nodes))
        found = ResolvedMirror(
            self.name,
            self.declared,
            master,
            nodes,
            network,
            {member: self._addresses(member)[network][0] for member in members},
            {member: tuple(sum(self._addresses(member).values(), ())) for member in members},
            self._ports(master, nodes),
            keys,
            upstream,
            files,
        )
        self._check_counts(nodes)
        return found if len(list(self.draft.problems)) == said else None

    def _add(self, place: Place, wanted: str, found: str = "", remedy: str = "") -> None:
        self.draft.problems.add(("mirrors", self.name, *place), wanted, found=found, remedy=remedy)

    def _master(self) -> str | None:
        name = self.declared.master
        if name in self.machines.groups:
            members = self.machines.groups[name]
            if len(members) == 1:
                return members[0]
            self._add(
                ("master",),
                "one machine",
                f"machines.{name} has {len(members)}",
                f"write one of them: {', '.join(members[:3])}" if members else "",
            )
        elif name in self.machines.by_name:
            return name
        elif not self.draft.is_broken("machines", name):
            self._add(("master",), "a machine", name, near(name, self.machines.by_name))
        return None

    def _nodes(self) -> tuple[str, ...]:
        name = self.declared.nodes
        if name in self.machines.groups:
            members = self.machines.groups[name]
            if not members:
                self._add(("nodes",), "at least one machine that serves", f"machines.{name} has count: 0")
            return members
        if name in self.machines.by_name:
            return (name,)
        if not self.draft.is_broken("machines", name):
            self._add(("nodes",), "a group of machines", name, near(name, self.machines.groups))
        return ()

    def _addresses(self, member: str) -> Mapping[str, tuple[IPAddress, ...]]:
        return {
            network: addresses
            for network, addresses in (self.draft.book.endpoints(f"machines.{member}") or ())[
                0
            ].addresses.items()
            if addresses
        }

    def _network(self, members: list[str]) -> str | None:
        theirs = [self._addresses(member) for member in members]
        wanted = self.declared.network
        if wanted is not None:
            if all(wanted in each for each in theirs):
                return wanted
            if not self.draft.is_broken("networks", wanted):
                self._add(
                    ("network",),
                    "a network that its master and all its nodes are on",
                    wanted,
                    near(wanted, theirs[0]),
                )
            return None
        shared = [network for network in theirs[0] if all(network in each for each in theirs)]
        if not shared:
            self._add(
                (),
                "a network that its master and all its nodes are on",
                f"{members[0]} is on {', '.join(theirs[0]) or 'none'}; {members[1]} on {', '.join(theirs[1]) or 'none'}",
                "put them on one network",
            )
        return shared[0] if shared else None

    def _ports(self, master: str, nodes: tuple[str, ...]) -> Ports:
        ports = ports_of(self.name, self.declared.port)
        remedy = "write `port:`, the first of three ports that are free"
        for machine in dict.fromkeys((master, *nodes)):
            for port in (ports.agent, ports.check, ports.push):
                self.claims.claim(
                    machine, f"port {port}", f"mirrors.{self.name}", ("mirrors", self.name, "port"), remedy
                )
        publish = self.declared.publish
        http = publish.http
        if http is not None and http.port in {RSYNC_PORT, ports.agent, ports.check, ports.push}:
            self._add(("publish", "http", "port"), "a port that nothing else of it has", str(http.port))
            http = None
        for node in nodes:
            if publish.module is not None:
                self.claims.claim(
                    node,
                    f"module {publish.module.lower()}",
                    f"mirrors.{self.name}",
                    ("mirrors", self.name, "publish", "module"),
                    "give each a name of its own",
                )
            if http is not None:
                self.claims.claim(
                    node,
                    f"port {http.port}",
                    "the web server",
                    ("mirrors", self.name, "publish", "http", "port"),
                    "write another one, or `port:` for the mirror that has it",
                )
        module = (publish.module or "").lower()  # as rsync's daemon compares them
        if module == "global" or module.startswith("lbkit-"):
            wanted = "another name than `global`, which rsync has itself, and lbkit-..., as modules between the machines are named"
            self._add(("publish", "module"), wanted, str(publish.module))
        return ports

    def _check_counts(self, nodes: tuple[str, ...]) -> None:
        quorum = self.declared.freshness.quorum
        if quorum is not None and quorum > len(nodes):
            self._add(("freshness", "quorum"), f"at most its {len(nodes)} nodes", str(quorum))

    def _check_folders(self, master: str) -> None:
        """A mirror of its own store would be twice as large after each sync."""
        declared = self.declared
        upstream = PurePosixPath(declared.upstream.url)
        if declared.path is None or not upstream.is_absolute():
            return
        own = PurePosixPath(declared.path, master, self.name)
        if own.is_relative_to(upstream) or upstream.is_relative_to(own):
            self._add(
                ("path",),
                "a folder apart from its upstream",
                f"{own} and {upstream}",
                "give it another `path`",
            )

    def _check_stages(self) -> None:
        folders = [stage.include for stage in self.declared.stages]
        if len(set(folders)) < len(folders):
            self._add(("stages",), "each folder once", ", ".join(folders))
        for index, include in enumerate(folders):
            if any(part in {".", ".."} for part in include.split("/")):
                self._add(("stages", index, "include"), "a folder that does not climb", include)

    def _keys(self, master: str) -> Keys | None:
        file = self.declared.key.file if self.declared.key else f"{self.name}.key"
        place = ("key", "file") if self.declared.key else ("key",)
        secret = self._secret(file, place, f"`lbkit keygen {shown(self.draft.folder / file)}` makes it")
        if secret is None:
            return None
        if len(secret.reveal()) < LEAST_SECRET:
            self._add(
                place,
                f"a secret of {LEAST_SECRET} bytes or more",
                f"{len(secret.reveal())} bytes",
                f"`lbkit keygen {shown(self.draft.folder / file)}` makes one, where that file is not",
            )
            return None
        return Keys(secret, self.name, master)

    def _secret(self, file: str, place: Place, missing: str = "make it with mode 600") -> Secret | None:
        path = self.draft.folder / file
        try:
            return read_secret_file(path)
        except Mistake as error:
            self._add(place, error.wanted, error.found, error.remedy if path.exists() else missing)
            return None

    def _upstream(self) -> tuple[dict[str, Any] | None, dict[str, bytes | Secret]]:
        declared = self.declared.upstream
        files: dict[str, bytes | Secret] = {}
        try:
            data = parse(declared.url)
        except Mistake as error:
            self._add(("upstream", "url"), error.wanted, error.found, error.remedy)
            return None, files
        kind = data["kind"]
        for word, secret, field_, kinds in (
            ("password", declared.password, "password_file", {"rsync", "https"}),
            ("key", declared.key, "key_file", {"ssh"}),
        ):
            if secret is None:
                continue
            if kind not in kinds:
                self._add(("upstream", word), f"a URL that a {word} is of use for", declared.url)
            found = self._secret(secret.file, ("upstream", word, "file"))
            if found is not None:
                files[f"upstream.{word}"] = Secret(
                    found.reveal() if word == "key" else found.reveal().strip()
                )
                data[field_] = f"upstream.{word}"
        for word, name, field_, wanted in (
            ("known_hosts", declared.known_hosts, "known_hosts", "ssh"),
            ("ca", declared.ca, "ca_file", "https"),
        ):
            if name is None:
                continue
            if kind != wanted:
                self._add(("upstream", word), f"an upstream by {wanted}", declared.url)
            content = self._file(name, ("upstream", word))
            if content is not None:
                files[f"upstream.{word}"] = content
                data[field_] = f"upstream.{word}"
        if kind == "ssh" and declared.known_hosts is None:
            self._add(
                ("upstream",),
                "with ssh also `known_hosts`, a file with the host's key",
                remedy=f"`ssh-keyscan {data['host']} > known_hosts`, and compare what it says with the host's own",
            )
        if (kind == "https") != (declared.digests is not None):
            wanted = (
                "`digests`, the list of its files" if kind == "https" else "an https upstream with `digests`"
            )
            self._add(("upstream",), wanted, declared.url)
        elif declared.digests is not None:
            data["digests"] = declared.digests
        return data, files

    def _file(self, name: str, place: Place) -> bytes | None:
        try:
            return read_given(Path(self.draft.folder / name), "the file", most=MOST_FILE)[0]
        except Mistake as error:
            self._add(place, error.wanted, error.found, error.remedy)
            return None


def _enter(mirror: ResolvedMirror, draft: Draft) -> None:
    """Let load balancers find it: `mirrors.NAME` is every node."""
    http = mirror.declared.publish.http
    ports = {"check": mirror.ports.check} | ({"http": http.port} if http else {})
    entries = []
    for node in mirror.nodes:
        endpoint = (draft.book.endpoints(f"machines.{node}") or ())[0]
        names = [mirror.node, *([HTTP_SERVICE] if http else [])]
        keys = {Key("service", f"{node}/{name}") for name in names}
        times = {"session": mirror.declared.session}
        entries.append(Endpoint(node, endpoint.addresses, endpoint.keys | keys, ports, times))
    draft.book.entries[f"mirrors.{mirror.name}"] = tuple(entries)
