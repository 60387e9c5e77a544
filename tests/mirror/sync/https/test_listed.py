"""Lists of digests as programs write them are read, and what no tree can be made of is none."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.mirror.sync.https.listed import BadList, Listed, listed
from tests.mirror.sync.test_itemized import HOSTILE

A, B = "a" * 64, "b" * 64
parts = st.binary(min_size=1, max_size=20).filter(
    lambda part: part not in {b".", b".."} and b"/" not in part and min(part) > 0x1F and 0x7F not in part
)
paths = st.lists(parts, min_size=1, max_size=4).map(b"/".join)


@pytest.mark.parametrize("options", [[], ["--binary"], ["--tag"]])
def test_what_sha256sum_writes_is_read(tmp_path: Path, options: list[str]) -> None:
    names = [name for name in HOSTILE if b"\n" not in name and b"\t" not in name] + [b"x/y", b"=) = "]
    for name in names:
        file = os.path.join(os.fsencode(tmp_path), name)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        Path(os.fsdecode(file)).write_bytes(name)
    done = subprocess.run(
        ["sha256sum", *options, "--", *names], cwd=tmp_path, capture_output=True, check=True
    )
    assert listed(done.stdout, "") == {name: Listed(name, hashlib.sha256(name).hexdigest()) for name in names}


@given(paths, st.one_of(st.none(), st.integers(0, 10**17)))
def test_every_plain_path_is_read(path: bytes, size: int | None) -> None:
    escaped = path.replace(b"\\", b"\\\\")
    middle = b"  " if size is None else b" %d " % size
    line = (b"\\" if escaped != path else b"") + A.encode() + middle + escaped
    while path.startswith(b"./"):  # as `find .` says them
        path = path[2:]
    assert listed(b"# a word\n\n" + line + b"\r\n", "") == {path: Listed(path, A, size)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no files"),
        ("# nothing\n", "no files"),
        ("<html><body>Moved</body></html>", "another form"),
        (f"{A}  a\n{B[:40]}", "another form"),
        (f"{A[:63]}  a", "another form"),
        (f"{A}  ", "another form"),
        (f"{A}  /etc/passwd", "none below a folder"),
        (f"{A}  ../a", "none below a folder"),
        (f"{A}  a/../../b", "none below a folder"),
        (f"{A}  a//b", "none below a folder"),
        (f"{A}  .", "none below a folder"),
        (f"{A}  .//../x", "none below a folder"),
        (f"{A}  a/", "none below a folder"),
        (f"\\{A}  a\\nb", "control character"),
        (f"{A}  a\tb", "control character"),
        (f"{A}  a\x1b[2J", "control character"),
        (f"{A}  a\0b", "control character"),
        (f"{A}  {'x' * 256}", "too long"),
        (f"{A}  a\n{B}  a", "another digest"),
        (f"{A}  a\n{B}  a/b", "a file that is a folder"),
    ],
)
def test_what_no_tree_can_be_made_of_is_none(text: str, words: str) -> None:
    with pytest.raises(BadList) as caught:
        listed(text.encode(), "https://host/SHA256SUMS")
    assert words in caught.value.found
    assert caught.value.found.isprintable()


@given(st.binary(max_size=300))
def test_whatever_comes_it_is_a_list_or_refused(content: bytes) -> None:
    for text in (content, A.encode() + b"  " + content, b"\\" + A.encode() + b" 1 " + content):
        try:
            found = listed(text, "")
        except BadList:
            continue
        for path in found:
            joined = os.path.normpath(os.path.join(b"/tree", path))
            assert joined == b"/tree/" + path
            assert min(path) > 0x1F
