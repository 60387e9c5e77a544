from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.errors import Mistake
from lbkit.dns.keygen import OCTETS, write_key
from lbkit.dns.resolved import KeySource
from lbkit.dns.tsig import read_key

SECRET = "c2VjcmV0IHNlY3JldCBzZWNyZXQ="


def source(path: Path, name: str = "lbkit", algorithm: str = "hmac-sha256") -> KeySource:
    return KeySource(name, algorithm, file=path)


def written(folder: Path, text: str) -> Path:
    path = folder / "key"
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("algorithm", sorted(OCTETS))
def test_a_key_made_here_is_read_here_and_by_bind(tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "tsig.key"
    write_key(path, "Lab.Key", algorithm)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = read_key(source(path, "lab.key", algorithm))
    assert len(key.secret.reveal()) == OCTETS[algorithm]
    (tmp_path / "named.conf").write_text(f'include "{path}";\n')
    subprocess.run(["/usr/bin/named-checkconf", str(tmp_path / "named.conf")], check=True)


def test_a_key_that_tsig_keygen_made_is_read(tmp_path: Path) -> None:
    made = subprocess.run(
        ["/usr/sbin/tsig-keygen", "-a", "hmac-sha512", "mine"], capture_output=True, text=True, check=True
    )
    assert len(read_key(source(written(tmp_path, made.stdout), "mine", "hmac-sha512")).secret.reveal()) == 64


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = written(tmp_path, "mine")
    with pytest.raises(Mistake, match="already"):
        write_key(path)
    assert path.read_text() == "mine"


def test_two_keys_are_not_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_key(tmp_path / name)
    assert (tmp_path / "one").read_text() != (tmp_path / "two").read_text()


@pytest.mark.parametrize(
    ("name", "algorithm"), [("a b", "hmac-sha256"), ('a"b', "hmac-sha256"), ("a", "md5")]
)
def test_a_key_s_name_and_algorithm_are_checked_before_a_file_is_made(
    tmp_path: Path, name: str, algorithm: str
) -> None:
    with pytest.raises(Mistake):
        write_key(tmp_path / "key", name, algorithm)
    assert list(tmp_path.iterdir()) == []


def test_the_clause_of_the_declared_name_is_taken_whatever_stands_around_it(tmp_path: Path) -> None:
    text = """
    // a comment with key "lbkit" { };
    key other { algorithm hmac-sha1; secret "AAAA"; };
    # key lbkit { secret "BBBB"; };
    /* key "lbkit" { algorithm hmac-sha256; secret "CCCC"; }; */
    key "LBKIT." { secret "ab//cd+/c2VjcmV0"; algorithm HMAC-SHA256; };
    """
    assert read_key(source(written(tmp_path, text))).secret.reveal().endswith(b"secret")


def test_plain_base64_from_a_file_or_the_environment(tmp_path: Path) -> None:
    assert read_key(source(written(tmp_path, SECRET + "\n"))).secret.reveal() == b"secret secret secret"
    key = read_key(KeySource("lbkit", "hmac-sha256", env="TSIG"), {"TSIG": SECRET})
    assert key.secret.reveal() == b"secret secret secret"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'key other {{ algorithm hmac-sha256; secret "{SECRET}"; }};', "'other'"),
        (f'key lbkit {{ algorithm hmac-sha512; secret "{SECRET}"; }};', "algorithm hmac-sha512"),
        (f'key lbkit {{ algorithm hmac-sha256; secret "{SECRET}', "neither"),
        ("key lbkit { algorithm hmac-sha256; };", "neither"),
        ("!!! not base64 !!!", "neither"),
        ("", "neither"),
    ],
)
def test_a_key_that_is_not_the_declared_one_is_a_mistake_that_keeps_the_secret(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(Mistake, match=words) as caught:
        read_key(source(written(tmp_path, text)))
    assert SECRET not in str(caught.value)


def test_a_secret_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="not set"):
        read_key(KeySource("lbkit", "hmac-sha256", env="NOT_SET"), {})
    with pytest.raises(Mistake, match="No such file"):
        read_key(source(tmp_path / "none"))


@given(st.text(max_size=300))
def test_whatever_a_key_file_holds_it_is_a_key_or_a_mistake(text: str) -> None:
    try:
        read_key(KeySource("lbkit", "hmac-sha256", env="KEY"), {"KEY": text})
    except Mistake:
        return


def test_no_text_form_of_a_key_shows_its_secret(tmp_path: Path) -> None:
    key = read_key(source(written(tmp_path, SECRET)))
    assert SECRET not in repr(key)
    assert "secret secret" not in repr(key)
