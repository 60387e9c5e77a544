"""What carries out a change tells of it, step by step."""

from __future__ import annotations

from collections.abc import Callable

Teller = Callable[[str], None]
"""Gets a line before each step: as `Done.step`, of one change."""
