"""The lines that a certificate has in the crt-lists of a HAProxy that runs."""

from __future__ import annotations

from collections.abc import Sequence

from lbkit.engine.resource import Key
from lbkit.haproxy.direct.crt_file import fits
from lbkit.haproxy.direct.wanted_certificate import WantedCertificate
from lbkit.haproxy.direct.work import Work
from lbkit.haproxy.runtime import Runtime
from lbkit.haproxy.runtime.commands import tls
from lbkit.haproxy.runtime.crt_list import CrtLine
from lbkit.haproxy.runtime.questions import crt_list


def lines_of(runtime: Runtime, name: str, lists: Sequence[str]) -> dict[str, tuple[CrtLine, ...]]:
    """By list, those of the certificate `name`; without lists that have none."""
    found = {
        each: tuple(line for line in runtime.read(crt_list(each)) if line.file == name) for each in lists
    }
    return {each: lines for each, lines in found.items() if lines}


def plan_lines(work: Work, wanted: WantedCertificate, have: Sequence[CrtLine]) -> None:
    """Of the certificate in its wanted list. A new line comes before old ones go: a client always finds one."""
    into = wanted.crt_list
    if into is None:
        return
    absent = wanted.given is None
    right = [] if absent else [line for line in have if fits(wanted.names, line.filters)]
    several = not absent and wanted.names is None
    kept = right if several else right[:1]
    gone = [line for line in have if line not in kept]
    names = wanted.names or ()
    more = [] if absent or kept else [tls.add_to_crt_list(into, wanted.name, filters=names)]
    commands = [*more, *(tls.del_from_crt_list(into, line.file, line.number) for line in gone)]
    if not commands:
        return
    after = [_line(line.file, line.filters) for line in kept] + ([_line(wanted.name, names)] if more else [])
    work.add(
        Key("crt-list", into),
        f"{len(more)} new, {len(gone)} gone",
        tuple(commands),
        before={"lines": [_line(line.file, line.filters) for line in have]},
        after={"lines": after},
    )


def _line(name: str, names: Sequence[str]) -> str:
    return " ".join([name, *names])
