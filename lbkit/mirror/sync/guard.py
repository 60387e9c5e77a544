"""Whether a sync may be: one that would lose much waits for a person's word."""

from __future__ import annotations

from dataclasses import dataclass

from lbkit.mirror.sync.changes import Changes


@dataclass(frozen=True, slots=True)
class Guard:
    """`delete` and `shrink` are the most that one sync may take away, as parts of all files and of all bytes (0.05 is 5 %);
    `min_files` is the least that a tree has after it. None: no limit.
    """

    delete: float | None = None
    shrink: float | None = None
    min_files: int | None = None

    def objections(self, changes: Changes) -> list[str]:
        """Why it may not be, each in a sentence; none: it may."""
        found = []
        before, after = changes.before, changes.after
        if self.delete is not None and changes.deleted.files > self.delete * before.files:
            found.append(
                f"it would delete {changes.deleted.files:,} of {before.files:,} files, "
                f"{changes.deleted.files / before.files:.1%}; `guard.delete` is {self.delete:.1%}"
            )
        lost = before.size - after.size
        if self.shrink is not None and lost > self.shrink * before.size:
            found.append(
                f"it would shrink the tree by {lost:,} of {before.size:,} bytes, {lost / before.size:.1%}; "
                f"`guard.shrink` is {self.shrink:.1%}"
            )
        if self.min_files is not None and after.files < self.min_files:
            found.append(f"it would leave {after.files:,} files; `guard.min_files` is {self.min_files:,}")
        return found
