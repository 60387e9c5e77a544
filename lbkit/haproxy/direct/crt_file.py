"""The file of a crt-list, changed line by line (configuration manual, 5.1 "crt-list"). Pure."""

from __future__ import annotations

from lbkit.haproxy.transition.files import crt_line


def edited(content: bytes, certificate: str, wanted: tuple[str, ...] | None, *, absent: bool) -> bytes:
    """The content with one line for `certificate` and the names `wanted` (None: any), or, `absent`, with none of it.

    Other lines and comments stay, and so does a line that is as wanted, with its options.
    """
    lines = content.decode(errors="surrogateescape").split("\n")
    if not lines[-1]:
        lines.pop()
    kept: list[str] = []
    there = False
    for line in lines:
        text = line.strip()
        if text and not text.startswith("#"):
            file, _, names = crt_line(" ".join(text.split()))
            if _is(file, certificate):
                if absent or there or not fits(wanted, names):
                    continue
                there = wanted is not None  # of any names there may be several
        kept.append(line)
    if not absent and not there and not (wanted is None and _any(kept, certificate)):
        kept.append(" ".join([certificate, *(wanted or ())]))
    return (
        content if kept == lines else "".join(f"{line}\n" for line in kept).encode(errors="surrogateescape")
    )


def fits(wanted: tuple[str, ...] | None, names: tuple[str, ...]) -> bool:
    """Whether a line for `names` is the one that is wanted."""
    return wanted is None or {name.lower() for name in wanted} == {name.lower() for name in names}


def _any(lines: list[str], certificate: str) -> bool:
    return any(_is(line.split()[0], certificate) for line in lines if line.split())


def _is(file: str, certificate: str) -> bool:
    """A relative name may begin in `crt-base`, which HAProxy's own name of it has."""
    return file == certificate or (not file.startswith("/") and certificate.endswith(f"/{file}"))
