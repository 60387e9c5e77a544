"""What people write the same way on the command line and in a playbook, and what it means to the library."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lbkit.base.errors import Mistake

if TYPE_CHECKING:
    from datetime import datetime

    from lbkit.engine.resource import Key


def wait_of(text: str) -> float:
    """Seconds to wait, from "30", "30s" or "2m"; 0 is not at all. ValueError says how it is written."""
    from lbkit.base.duration import seconds_of  # noqa: PLC0415 - for those who wait

    return float(text) if text.isascii() and text.isdigit() else seconds_of(text)


def end_of(text: str, now: datetime) -> datetime:
    """The time that "2h" from `now` is, or ISO 8601's "2030-01-31T14:00" (local where no zone is written)."""
    from datetime import datetime, timedelta  # noqa: PLC0415 - for those who hold something

    from lbkit.base.duration import seconds_of  # noqa: PLC0415

    try:
        return now + timedelta(seconds=seconds_of(text))
    except OverflowError:
        found = "too far away"
    except ValueError:
        found = ""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise Mistake(
            f"{text!r} was to be a time", found=found, remedy="write 30m, 2h, 1d, or 2030-01-31T14:00"
        ) from None


def counts_of(words: Iterable[str]) -> dict[str, int]:
    """How many machines each group shall have, from "web=4"."""
    counts: dict[str, int] = {}
    for word in words:
        group, _, text = word.partition("=")
        if not group or not text:
            raise Mistake(
                "a group and its count were to be given as GROUP=COUNT, such as web=4", found=repr(word)
            )
        if group in counts:
            raise Mistake(f"{group} was to have one count", found="two")
        counts[group] = count_of(group, text)
    return counts


def count_of(group: str, said: object) -> int:
    """A number, or text of digits alone, as Ansible has of a template."""
    if isinstance(said, str) and said.isascii() and said.isdigit() and len(said) < 10:
        return int(said)
    if isinstance(said, int) and not isinstance(said, bool) and said >= 0:
        return said
    raise Mistake(
        f"{group} was to have so many machines", found=repr(said), remedy="write a whole number, 0 or more"
    )


def adopted(texts: Iterable[str]) -> list[Key]:
    """The keys that "KIND/NAME" texts name; Mistake where one is written otherwise or its kind is not known."""
    texts = list(texts)
    if not texts:
        return []
    from lbkit.base.problems import near  # noqa: PLC0415 - for those who adopt
    from lbkit.engine.resource import Key  # noqa: PLC0415 - for those who adopt
    from lbkit.topology.register import rooms  # noqa: PLC0415 - brings every room

    kinds = {kind for room in rooms() for kind in room.kinds}
    keys = []
    for text in texts:
        kind, _, name = text.partition("/")
        if not name:
            raise Mistake(
                "a thing to adopt was to be named as KIND/NAME, such as network/front", found=repr(text)
            )
        if kind not in kinds:
            raise Mistake(f"{text!r} was to name a kind of thing", found=repr(kind), remedy=near(kind, kinds))
        keys.append(Key(kind, name))
    return keys
