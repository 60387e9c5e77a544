"""`show info`: what a process says of itself (management guide, 9.3)."""

from __future__ import annotations

from dataclasses import dataclass

from lbkit.haproxy.text.digest import digest_in


@dataclass(frozen=True, slots=True)
class Info:
    """What a process says of itself. `digest`: of the configuration that it has loaded, where lbkit wrote it."""

    version: str
    pid: int
    uptime: int
    sessions: int
    maxconn: int
    stopping: bool
    description: str

    @property
    def digest(self) -> str | None:
        return digest_in(self.description)


def parse_info(text: str) -> Info:
    fields = fields_of(text)
    return Info(
        version=fields["Version"],
        pid=int(fields["Pid"]),
        uptime=int(fields["Uptime_sec"]),
        sessions=int(fields["CurrConns"]),
        maxconn=int(fields["Maxconn"]),
        stopping=fields.get("Stopping", "0") != "0",
        description=fields.get("description", ""),
    )


def fields_of(text: str) -> dict[str, str]:
    """All fields by their names, as text."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, colon, value in pairs if colon}
