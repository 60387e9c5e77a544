"""The words that both sides know."""

from __future__ import annotations

from typing import Literal

Verdict = Literal["ready", "drain"]
"""Whether a node may serve."""
