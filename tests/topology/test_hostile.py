"""Files that nobody should send: refused at once, in words, whatever they are."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lbkit.base.errors import Mistake
from lbkit.base.problems import InvalidDocument
from lbkit.topology.load import load_data, load_file, load_text

ROOT = Path(__file__).parents[2]


def words(text: str, file: str = "web.yml") -> str:
    with pytest.raises(InvalidDocument) as caught:
        load_text(text, file, Path("/nowhere"))
    return str(caught.value)


def bomb(levels: int) -> str:
    lines = ["x-0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a topology\n  found: an empty file\n  to do: begin with `lbkit: 1`"),
        ("# nothing\n", "found: an empty file"),
        ("---\n", "web.yml:2: (the document): a mapping at the top\n  found: nothing"),
        ("- a\n", "web.yml:1: (the document): a mapping at the top\n  found: a list"),
        ("web\n", "web.yml:1: (the document): a mapping at the top\n  found: text: 'web'"),
        ("root: x\nother: 1\n", "found: none of its sections"),
        ("lbkit: 1\n---\nlbkit: 1\n", "web.yml:2: (the document): one document in the file\n  found: a second one; the first begins at line 1"),
        (bomb(30), "a document of at most 200000 values, with its aliases written out"),
        ("x-0: &a " + "x" * 1_000_000 + "\nx-1: [" + "*a, " * 5000 + "]", "a document of at most 200000 values"),
        ("x-0: [&a0 [x]" + "".join(f", &a{n} [*a{n - 1}]" for n in range(1, 5000)) + "]", "at most 50 levels"),
        ("x-0: &a [*a]", "web.yml:1: (the document): an alias of something above it\n  found: *a stands inside of &a itself"),
        ("x-0: &anchor 1\nx-1: *anchro", "found: *anchro, and no &anchro\n  to do: did you mean 'anchor'?"),
        ("a: " + "[" * 500_000, "at most 50 levels"),
        ("a: " + "{a: " * 100_000, "at most 50 levels"),
        ("- " * 500_000, "at most 50 levels"),
        ("- a\n" * 300_000, "a document of at most 200000 values"),
        ("".join(f"k{n}: 1\n" for n in range(300_000)), "a document of at most 200000 values"),
        ("x" * (5 << 20), "a document of at most 4 MiB"),
        ("lbkit: 1\nname: !!python/object/apply:os.system [ls]\n", "web.yml:2: name: a value without a tag\n  found: !!python/object/apply:os.system"),
        ("lbkit: 1\nname: !<tag:yaml.org,2002:python/name:os.system> x\n", "found: !!python/name:os.system"),
        ("lbkit: 1\nname: !vault |\n  x\n", "found: !vault\n  to do: a secret goes in a file of mode 600"),
        ("lbkit: 1\nname: !!binary aGk=\n", "found: !!binary"),
        ("lbkit: !!int one\nname: web\n", "web.yml:1: lbkit: a value that !!int can be\n  found: 'one'"),
        ("lbkit: 1\nname: web\nnetworks:\n  a: 1\n  a: 2\n", "web.yml:5: networks.a: a key once\n  found: a stands at line 4 already"),
        ("lbkit: 1\nname: {{ name }}\n", "text as a key\n  found: a mapping\n  to do: a template's {{ }} must be filled in"),
        ("lbkit: 1\n? [a]\n: 1\n", "web.yml:2: (the document): text as a key\n  found: a list"),
        ("lbkit: 1\n? \n: 1\n", "web.yml:2: (the document): text as a key\n  found: nothing"),
        ("lbkit: 1\n<<: 7\n", "a mapping, or a list of mappings, to merge by <<"),
        ("lbkit: 1\nname:\n\tweb\n\tb: c", "found: a tab\n  to do: indent with spaces"),
        ("lbkit: 1\nname: @web\n", "found: a value that begins with '@'\n  to do: put the value in quotes"),
        ("lbkit: 1\nname: a: b\n", "web.yml:2: (the document): YAML that can be read"),
        ("lbkit: 1\nname: 'web\n", "look for a quote or bracket that is not closed"),
        ("lbkit: 1\nname: [web\n", "look for a bracket that is not closed"),
        ("lbkit: 1\n  name: web\n", "look at the indentation"),
        ("%YAML 7.0\n---\nlbkit: 1\n", "YAML that can be read"),
        ("lbkit: 1\nné: \x07\n", "web.yml:2: (the document): text without control characters\n  found: character U+0007"),
        ("lbkit: 1\nname: \ud800\n", "text that UTF-8 can hold"),
        ("lbkit: .nan\nname: web\n", "web.yml:1: lbkit: a finite number\n  found: .nan"),
        ("lbkit: 1.0e+999\nname: web\n", "web.yml:1: lbkit: a finite number\n  found: 1.0e+999"),
        ("lbkit: " + "9" * 100_000 + "\nname: web\n", "version 1 of the language\n  found: '999"),
    ],
)  # fmt: skip
def test_yaml(text: str, expected: str) -> None:
    assert expected in words(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" ", "found: an empty file"),
        ("[]", "web.json:1: (the document): an object at the top"),
        ('{"lbkit": 1,\n "lbkit": 1, "name": "web"}', "web.json:2: lbkit: a key once\n  found: lbkit stands at line 1 already"),
        ('{"lbkit": 1,\n "name": "web",}', "web.json:2: (the document): JSON that can be read: a key in quotes\n  found: '}'"),
        ('{"lbkit": 1} {}', "nothing after the object"),
        ('{"lbkit": NaN}', "JSON that can be read: a value\n  found: 'NaN}'"),
        ('{"lbkit" 1}', "':' after a key"),
        ('{"lbkit": [1 2]}', "',' or ']'"),
        ('{"lbkit": 1', "',' or '}'\n  found: the end of the file"),
        ('{"lbkit": "a\nb"}', "a string, closed, without control characters"),
        ('{"lbkit": "\\ud800"}', "half of a surrogate pair"),
        ('{"lbkit": 1.0e+999, "name": "web"}', "lbkit: a finite number of at most 40 digits"),
        ('{"lbkit": ' + "9" * 100_000 + ', "name": "web"}', "a finite number of at most 40 digits"),
        ("[" * 100_000, "at most 50 levels"),
        ('{"a":' * 100_000, "at most 50 levels"),
        ("[" + "1," * 300_000 + "1]", "a document of at most 200000 values"),
    ],
)  # fmt: skip
def test_json(text: str, expected: str) -> None:
    assert expected in words(text, "web.json")


def test_data() -> None:
    circle: list[object] = []
    circle.append(circle)
    doubled: object = "x"
    for _ in range(45):
        doubled = [doubled, doubled]
    for data, expected in (
        (circle, "at most 50 levels"),
        (doubled, "at most 200000 values"),
        (7, "a mapping at the top"),
        ({"lbkit": 1, True: 1}, "YAML 1.1 reads on, off, yes and no as true and false"),
        ({"lbkit": 1, None: 1}, "text as a key"),
        ({"lbkit": float("nan")}, "a number that is not finite"),
        ({"lbkit": b"1"}, "found: bytes"),
        ({"lbkit": 10**100_000}, "found: a large number"),
        ({"lbkit": 1, "name": "a\udc80"}, "text that UTF-8 can hold"),
    ):
        with pytest.raises(InvalidDocument) as caught:
            load_data(data, Path("/nowhere"))
        assert expected in str(caught.value)


def test_what_is_no_plain_file_is_not_opened(tmp_path: Path) -> None:
    """A FIFO would wait for a writer, for good."""
    os.mkfifo(tmp_path / "fifo")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    (tmp_path / "loop").symlink_to("loop")
    for path, expected in (
        (tmp_path / "fifo", "a named pipe"),
        (tmp_path / "socket", "a socket"),
        (tmp_path, "a folder"),
        (Path("/dev/zero"), "a device"),
        (tmp_path / "none.yml", "No such file or directory"),
        (tmp_path / "loop", "Too many levels of symbolic links"),
        (tmp_path / "none" / "web.yml", "No such file or directory"),
        (tmp_path / ("x" * 300), "File name too long"),
        (Path("a\0b"), "no path of a file"),
        (Path("a\ud800"), "no path of a file"),
    ):
        with pytest.raises(Mistake) as caught:
            load_file(path)
        assert expected in str(caught.value)
        assert caught.value.exit_code == 64
    listener.close()


def test_a_hundred_megabytes_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yml"
    with path.open("wb") as stream:
        stream.truncate(100 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Mistake, match="at most 4 MiB"):
        load_file(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_bytes(b"lbkit: 1\nname: w\xe9b\n")
    with pytest.raises(
        InvalidDocument, match=r"web.yml:2: \(the document\): text in UTF-8\n  found: byte 0xe9"
    ):
        load_file(path)
    path.write_bytes("lbkit: 1\nname: web\n".encode("utf-8-sig"))
    assert load_file(path).name == "web"


def test_no_text_of_a_file_steers_the_terminal(tmp_path: Path) -> None:
    hostile = "\x1b[2J\nweb.yml:1: all is well"
    quoted = '"\\e[2J\\nweb.yml:1: all is well"'
    text = (
        f"lbkit: {quoted}\nname: {quoted}\n{quoted}: 1\nx-0: &a 1\n"
        f"networks:\n  {quoted}: {{cidr: 10.0.0.0/24, {quoted}: 1}}\n  b: {{cidr: {quoted}, bridge: {quoted}}}\n"
        f"machines:\n  a: {{networks: {quoted}, run: [{{name: a, command: [{quoted}], files: {{{quoted}: {{}}}}}}]}}\n"
    )
    found = words(text)
    assert "\x1b" not in found
    assert not [line for line in found.split("\n") if line.startswith("web.yml:1: all")]
    path = tmp_path / hostile.replace("/", "")
    with pytest.raises(Mistake) as caught:
        load_file(path)
    assert "\x1b" not in str(caught.value)
    path.write_text("[")
    with pytest.raises(Mistake) as caught:
        load_file(path)
    assert "\x1b" not in str(caught.value)


def test_unreadable_for_an_ordinary_user(tmp_path: Path) -> None:
    """As a process of its own, which gives up root's power over files where it has it."""
    path = tmp_path / "web.yml"
    path.write_text("lbkit: 1\n")
    path.chmod(0)
    code = (
        "import os, sys, pathlib\n"
        "from lbkit.topology.load import load_file\n"
        "from lbkit.base.errors import Mistake\n"
        "if os.geteuid() == 0:\n"
        "    import ctypes\n"
        "    header = (ctypes.c_uint32 * 2)(0x20080522, 0)\n"
        "    assert ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)()) == 0\n"  # capabilities(7)
        "try: load_file(pathlib.Path(sys.argv[1]))\n"
        "except Mistake as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"the topology {path} was to be read\n  found: Permission denied\n"
