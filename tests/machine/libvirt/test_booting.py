"""Until when a guest that does not answer may boot: by a note that another host may have written, or anybody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.machine.libvirt.booting import WITHIN, left, noted
from lbkit.machine.libvirt.metadata import Metadata, metadata_xml, parse_metadata
from lbkit.machine.libvirt.xml.element import Unreadable

NOW = datetime(2030, 1, 1, 12, 0, 0, 900_000, tzinfo=UTC)


@given(st.floats(-2 * WITHIN, 2 * WITHIN))
def test_it_boots_for_so_long_and_no_longer(ago: float) -> None:
    found = left(noted(NOW - timedelta(seconds=ago)), NOW)
    assert 0.0 <= found <= WITHIN + 1
    assert found == pytest.approx(WITHIN - ago, abs=1) if 0 <= ago < WITHIN - 1 else True
    assert found == 0.0 if ago >= WITHIN or ago <= -2.0 else True


@given(st.text() | st.just("2030-01-01T12:00:00"))
def test_any_other_note_is_none(words: str) -> None:
    assert left(words, NOW) == 0.0


def test_the_note_goes_with_the_domain() -> None:
    metadata = Metadata("web", "lb-1", 1, {}, started=noted(NOW))
    assert parse_metadata(metadata_xml(metadata)) == metadata
    with pytest.raises(Unreadable, match="time"):
        parse_metadata(metadata_xml(metadata).replace("2030-01-01T", "2030-01-01 "))
