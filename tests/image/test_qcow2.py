"""The header of a qcow2 file, as QEMU writes it and as nobody should."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.image.qcow2 import HEADER, MAGIC, read_header, why_refused
from tests.image.small import qcow2


@pytest.mark.parametrize("version", ["0.10", "1.1"])
def test_what_qemu_makes_is_read(tmp_path: Path, version: str) -> None:
    header = read_header(qcow2(tmp_path / "disk", "-o", f"compat={version}", size="5G").read_bytes()[:HEADER])
    assert header.version == (2 if version == "0.10" else 3)
    assert header.virtual_size == 5 << 30
    assert why_refused(header) == ""


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(rest: bytes) -> None:
    try:
        header = read_header(MAGIC + rest)
    except ValueError:
        return
    assert header.version in {2, 3}
    why_refused(header)
