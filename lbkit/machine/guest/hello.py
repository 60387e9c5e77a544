"""How a session begins: the host's end says its number, the guest's program says who answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lbkit.machine.guest.foreign import read_json
from lbkit.machine.guest.frames import PROTOCOL, Broken


@dataclass(frozen=True, slots=True)
class Hello:
    """`session` "": nobody asked, a guest's program says that all that was before it is over.

    `program` is the digest of the guest's program, `boot` the kernel's boot id, `identity` the digest of who the
    guest was told to be; `topology` and `member` are "" and `generation` 0 before that.
    """

    session: str
    protocol: int = PROTOCOL
    program: str = ""
    boot: str = ""
    identity: str = ""
    topology: str = ""
    member: str = ""
    generation: int = 0

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


def read_hello(content: bytes) -> Hello:
    """Fields that a later protocol adds are passed over."""
    try:
        data = read_json(content, "a hello")
        return Hello(
            session=str(data["session"]),
            protocol=int(data["protocol"]),
            program=str(data.get("program", "")),
            boot=str(data.get("boot", "")),
            identity=str(data.get("identity", "")),
            topology=str(data.get("topology", "")),
            member=str(data.get("member", "")),
            generation=int(data.get("generation", 0)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Broken("a hello that is none") from error
