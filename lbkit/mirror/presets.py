"""What is known of archives that many mirror: their stages, what says that they update themselves, and what is left out. Data alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lbkit.mirror.sync.project import Stage


@dataclass(frozen=True, slots=True)
class Preset:
    """As `Project` has them; `exclude` as rsync's patterns. What a person declares comes to markers and exclude, and instead of stages."""

    stages: Sequence[Stage] = ()
    markers: Sequence[str] = ()
    exclude: Sequence[str] = ()


PRESETS: Mapping[str, Preset] = {
    # Debian, Ubuntu, and what reprepro or aptly publish. As ftpsync, Debian's own tool for mirrors: packages before the indices that name
    # them, and no end while upstream is in the middle of its own update. What goes goes last there; here nobody sees a tree before
    # it is whole, and what went is found in the generation before. Indices are compared by content: one that was rewritten within a
    # second is often as long as it was. project/trace is upstream's word on itself and comes along.
    "debian": Preset(
        stages=(Stage("pool"), Stage("dists", contents=True), Stage()),
        markers=("Archive-Update-in-Progress-*",),
        # a note of upstream's mirror script to itself; and what rsync leaves there in the middle of a transfer
        exclude=("/Archive-Update-Required-*", ".~tmp~/", ".temp/", ".tmp/"),
    ),
}
