from __future__ import annotations

from pathlib import Path

import pytest

from lbkit.base.errors import Mistake
from lbkit.base.secrets import Secret, read_secret_file

KEY = b"c2VjcmV0"


def test_no_text_form_shows_it() -> None:
    secret = Secret(KEY)
    for text in (repr(secret), str(secret), f"{secret}", f"{[secret]}", secret.digest):
        assert KEY.decode() not in text
    assert secret.reveal() == KEY


def test_the_digest_tells_same_from_changed_only() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert Secret(KEY).digest == Secret(KEY).digest
    assert hash(Secret(KEY)) == hash(Secret(KEY))
    assert Secret(KEY) != Secret(b"other")
    assert Secret(KEY).digest != Secret(b"other").digest
    assert Secret(KEY) != KEY


def test_a_file_of_its_owner_alone_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tsig.key"
    path.write_bytes(KEY)
    path.chmod(0o600)
    assert read_secret_file(path) == Secret(KEY)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "tsig.key"
    path.write_bytes(KEY)
    path.chmod(mode)
    with pytest.raises(Mistake, match=f"chmod 600 {path}") as caught:
        read_secret_file(path)
    assert KEY.decode() not in str(caught.value)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="lbkit keygen"):
        read_secret_file(tmp_path / "none")
