"""Wait for the first answer of a guest."""

from __future__ import annotations

from dataclasses import replace

from lbkit.base.errors import Failure, LbkitError
from lbkit.base.host import Host
from lbkit.hypervisor.connection import Connection, connect
from lbkit.machine.libvirt.booting import GREETED_WITHIN
from lbkit.machine.libvirt.fleet import Generation
from lbkit.machine.libvirt.names import channel_folder
from lbkit.machine.libvirt.reach import greet, line_to
from lbkit.machine.libvirt.settling import has_memory
from lbkit.machine.libvirt.states import RUNNING, in_words

_LAST_WORDS = 5  # lines of its console that an error shows


def answered(host: Host, generation: Generation, within: float) -> Generation:
    """The generation once its guest is who it is to be, and has the memory that was wanted. Failure after `within` seconds."""
    domain, at = generation.domain, generation.host
    connection = connect(at)
    line = line_to(host, at, domain, hello_within=GREETED_WITHIN)
    deadline = host.clock.monotonic() + within
    while True:
        try:
            hello, inside = greet(line)
        except LbkitError as error:
            _look_at(host, connection, generation)
            if host.clock.monotonic() >= deadline:
                raise _silent(host, generation, f"{error.found} after {within:.0f} s") from error
            host.clock.sleep(0.1)  # a port whose QEMU has just begun to listen refuses at once
            continue
        if hello.identity:
            has_memory(connection, domain.name, domain.uuid, domain.wanted["memory"], host.clock)
            return replace(generation, hello=hello, inside=inside, silence="", boots=False)
        if host.clock.monotonic() >= deadline:
            raise _silent(host, generation, "its guest answers, and could not become who it is to be")
        host.clock.sleep(0.1)
        line.drop()


def _look_at(host: Host, connection: Connection, generation: Generation) -> None:
    """Raises where there is nothing to wait for."""
    domain = generation.domain
    state, reason = connection.read(
        f"the domain {domain.name} was to be looked at",
        lambda raw: raw.lookupByUUIDString(domain.uuid).state(),
    )
    words, why = in_words(state, reason)
    if words != RUNNING:
        raise _silent(host, generation, f"it is {words}" + (f": {why}" if why else ""))


def _silent(host: Host, generation: Generation, found: str) -> Failure:
    last = " / ".join(_console(host, generation))
    return Failure(
        f"the guest of {generation.domain.name} was to answer",
        found=f"{found}; its console ends: {last}" if last else found,
        where=f"machine {generation.domain.member}",
        remedy="look at what it boots: `lbkit image verify`, `virsh console`; the next apply makes another one",
    )


def _console(host: Host, generation: Generation) -> list[str]:
    path = channel_folder(host, generation.host.uri, generation.domain.name) / "console.log"
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, path.stat().st_size - 4000))
            text = stream.read().decode(errors="replace")
    except OSError:
        return []
    lines = ("".join(letter for letter in line if letter.isprintable()) for line in text.splitlines())
    return [line for line in lines if line.strip()][-_LAST_WORDS:]
