"""What clients met during an apply, for people."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from lbkit.engine.proof import Lost, Proof, Proven
from lbkit.faces.out import Out
from lbkit.faces.render.harmless import one_line
from lbkit.faces.render.words import word

_NUMBERS = ("sent", "failed", "slow", "cut", "downloads", "slowest")


def show_proof(out: Out, proof: Proof) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("asked", overflow="fold")
    table.add_column("from", overflow="fold")
    for name in _NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    for target in proof.targets:
        table.add_row(word(target.target), word(target.asked_from), *_numbers(target))
    if proof.targets:
        out.show("", table)
    out.show("", _verdict(proof))
    for lost in proof.failures:
        out.show(_lost(lost))
    more = proof.failed + proof.cut - len(proof.failures)
    if more > 0:
        out.show(word(f"  and {more} more", "red"))
    for note in proof.notes:
        out.show(word(f"note: {note}", "yellow"))


def _numbers(target: Proven) -> list[Text]:
    if target.since is None:
        return [word("-", "dim") for _ in _NUMBERS]
    return [
        word(str(target.sent)),
        word(str(target.failed), "bold red" if target.failed else ""),
        word(str(target.slow), "yellow" if target.slow else ""),
        word(str(target.cut), "bold red" if target.cut else ""),
        word(str(target.downloads)),
        word(f"{target.slowest * 1000:.1f} ms"),
    ]


def _verdict(proof: Proof) -> Text:
    if not proof.sent:
        return word("not proved: no request was answered", "yellow")
    said = (
        f"{proof.sent} requests in {proof.seconds:.2f} s: {proof.failed} failed, {proof.cut} cut, "
        f"{proof.slow} slower than {proof.slow_after:g} s"
    )
    return word(said, "green" if proof.good else "bold red")


def _lost(lost: Lost) -> Text:
    return Text.assemble(
        (f"  {lost.at:.2f} s  ", "dim"),
        (one_line(f"{lost.target}, {lost.kind}: {lost.why}"), "red"),
        (one_line(f"  at step {lost.step}"), ""),
        overflow="fold",
    )
