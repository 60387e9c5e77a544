"""One server of the model: its state, its checks, and what `set server` and the others do to it.

The rules are those of 2.6 and 3.0, which are alike here: measured (docs/haproxy-capabilities.md), and held to by
test_contract.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.haproxy.model.world import Place, World

FMAINT, CMAINT, FDRAIN = 1, 4, 8
IN_PROGRESS, CONFIGURED, ENABLED, PAUSED, AGENT = 1, 2, 4, 8, 16
UNKNOWN, FAILED, PASSED = 0, 2, 3
INI, CONNECTION_REFUSED, CHECK_PASSED = 1, 8, 6
_WORDS = {INI: "INI", CONNECTION_REFUSED: "L4CON", CHECK_PASSED: "L4OK"}

_VALUED = frozenset(
    {"weight", "maxconn", "minconn", "maxqueue", "cookie", "inter", "fastinter", "downinter", "rise", "fall"}
    | {"port", "agent-port", "agent-inter", "agent-send", "slowstart", "observe", "on-error", "error-limit"}
    | {"on-marked-down", "on-marked-up", "id", "verify", "ca-file", "crt", "sni", "check-sni", "alpn"}
    | {"ssl-min-ver", "verifyhost", "resolvers", "resolve-prefer", "init-addr", "send-proxy-v2-options"}
)


def words_of(words: list[str]) -> dict[str, str]:
    """Keywords of a `server` line with their values, "" of those that take none."""
    rest = iter(words)
    return {word: next(rest, "") if word in _VALUED else "" for word in rest}


@dataclass
class ModelServer:
    world: World
    name: str  # BACKEND/SERVER
    place: Place
    words: dict[str, str]
    number: int
    op: int = 2
    admin: int = 0
    weight: int = 1
    initial_weight: int = 1
    maxconn: int = 0
    health: int = 0
    status: int = INI
    result: int = UNKNOWN
    check: int = 0
    agent: int = 0
    since: float = 0.0
    next_check: float = 0.0
    ends: list[float] = field(default_factory=list)  # when its sessions are over
    _asks: Place | None = None  # whom the check that is under way asks
    _answer_at: float = 0.0

    @classmethod
    def made(
        cls, world: World, name: str, place: Place, words: dict[str, str], number: int, *, dynamic: bool
    ) -> ModelServer:
        """As the configuration's line makes it; or, `dynamic`, as `add server` does."""
        weight = int(words.get("weight", "1"))
        made = cls(world, name, place, words, number, weight=weight, initial_weight=weight)
        made.maxconn = int(words.get("maxconn", "0"))
        made.since = made.next_check = world.now
        if "check" in words:
            made.check = CONFIGURED | (0 if dynamic else ENABLED)
        if "agent-check" in words:
            made.agent = AGENT | CONFIGURED | (0 if dynamic else ENABLED)
        if dynamic:
            made.op, made.admin = 0, FMAINT
        elif "disabled" in words:
            made.op, made.admin = 0, FMAINT | CMAINT
            made.check |= PAUSED if made.check else 0
        else:
            made.health = made.rise
        return made

    @property
    def rise(self) -> int:
        return int(self.words.get("rise", "2"))

    @property
    def fall(self) -> int:
        return int(self.words.get("fall", "3"))

    @property
    def backup(self) -> bool:
        return "backup" in self.words

    @property
    def sessions(self) -> int:
        self.ends = [end for end in self.ends if end > self.world.now]
        return len(self.ends)

    @property
    def usable(self) -> bool:
        """A new request may go to it."""
        return self.op == 2 and not self.admin & (FMAINT | FDRAIN) and self.weight > 0

    # commands

    def set_state(self, state: str) -> None:
        was_maint = bool(self.admin & FMAINT)
        if state == "maint":
            self.admin = self.admin & CMAINT | FMAINT  # a drain is forgotten
            if not was_maint:
                self._to(0)
                if self.check & ENABLED:
                    self.check |= PAUSED
                    self.health = 0
            return
        self.admin &= ~FMAINT
        self.admin = self.admin | FDRAIN if state == "drain" else self.admin & ~FDRAIN
        if was_maint:
            if self.check & ENABLED:  # else they rest for ever, even enabled again
                self.check &= ~PAUSED
            self._to(2)
            self.health = self.rise if self.check & ENABLED else 0

    def set_health(self, health: str) -> None:
        self.health = 0 if health == "down" else self.rise
        if not self.admin & FMAINT:
            self._to(0 if health == "down" else 2)

    def set_place(self, place: Place) -> None:
        self.place = place

    def enable_health(self) -> str:
        if not self.check & CONFIGURED:
            return "Health check was not configured on this server, cannot enable."
        if not self.check & ENABLED:
            self.check |= ENABLED
            self.next_check = self.world.now
        return ""

    def disable_health(self) -> None:
        self.check &= ~ENABLED

    # checks

    def due(self) -> float | None:
        if self._asks is not None:
            return self._answer_at
        if self.check & (ENABLED | PAUSED) == ENABLED:
            return self.next_check
        return None

    def come(self) -> None:
        if self._asks is None:
            self._asks = self.place
            self.check |= IN_PROGRESS
            self._answer_at = self.world.now + self.world.takes(self.place)
            return
        place, self._asks = self._asks, None
        self.check &= ~IN_PROGRESS
        self.next_check = self.world.now + int(self.words.get("inter", "2000")) / 1000
        if self.check & PAUSED:
            return
        if self.world.asked(
            place
        ):  # of whoever it asked: an address that has changed meanwhile is not looked at
            self.status, self.result = CHECK_PASSED, PASSED
            if self.health < self.rise + self.fall - 1:
                self.health += 1
                if self.health >= self.rise:
                    self.health = self.rise + self.fall - 1
                    if not self.admin & FMAINT:
                        self._to(2)
        else:
            self.status, self.result = CONNECTION_REFUSED, FAILED
            self.health = self.health - 1 if self.health > self.rise else 0
            if not self.health:
                self._to(0)

    def _to(self, op: int) -> None:
        if self.op != op:
            self.op, self.since = op, self.world.now

    # words

    def state_line(self, backend_number: int) -> str:
        backend, _, own = self.name.partition("/")
        address, port = self.place
        return (
            f"{backend_number} {backend} {self.number} {own} {address} {self.op} {self.admin} {self.weight} "
            f"{self.initial_weight} {int(self.world.now - self.since)} {self.status} {self.result} {self.health} "
            f"{self.check} {self.agent} 0 0 - {port} - 0 0 - - 0"
        )

    def take_line(self, row: list[str]) -> None:
        """A line of the server-state file that has its name."""
        op, admin, weight, initial = (int(word) for word in row[5:9])
        self.op = 0 if op == 0 else 2
        self.health = int(row[12]) if op == 0 else self.rise
        if admin & FMAINT or "disabled" in self.words:
            self.admin = FMAINT | (CMAINT if "disabled" in self.words else 0)
            self.op, self.health = 0, self.rise + self.fall - 1 if op else 0
            self.check |= PAUSED if self.check & CONFIGURED else 0
        elif admin & FDRAIN:
            self.admin |= FDRAIN
        elif admin & CMAINT:
            self.op, self.health = 0, 0
        if initial == self.initial_weight:
            self.weight = weight
        self.place = (self.place[0], int(row[18]))

    def stat_line(self) -> dict[str, str]:
        address, port = self.place
        return {
            "pxname": self.name.partition("/")[0],
            "svname": self.name.partition("/")[2],
            "status": self.shown,
            "weight": str(self.weight),
            "scur": str(self.sessions),
            "slim": str(self.maxconn or ""),
            "lastchg": str(int(self.world.now - self.since)),
            "check_status": _WORDS[self.status] if self.check & ENABLED else "",
            "bck": str(int(self.backup)),
            "act": str(int(not self.backup)),
            "addr": f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
            "cookie": self.words.get("cookie", ""),
            "mode": "http",
        }

    @property
    def shown(self) -> str:
        if self.admin & FMAINT:
            return "MAINT"
        checked = self.check & ENABLED or self.agent & ENABLED
        if self.op == 0:
            return "DOWN" if not self.health else f"DOWN {self.health}/{self.rise}"
        if self.admin & FDRAIN:
            return "DRAIN"
        if not checked:
            return "no check"
        return (
            "UP"
            if self.health == self.rise + self.fall - 1
            else f"UP {self.health - self.rise + 1}/{self.fall}"
        )
