"""`lbkit import`: a topology on stdout or in a file, and what became of each line on stderr or as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lbkit import operate
from lbkit.faces.cli import main

TEXT = """global
    chroot /var/empty
defaults
    mode http
    timeout connect 1s
    timeout client 2s
    timeout server 3s
frontend Web
    bind :80
    use_backend b if { path /b }
    default_backend b
backend b
    server s 10.0.0.1:80
"""


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "haproxy.cfg"
    path.write_text(TEXT)
    return path


def test_the_topology_is_on_stdout_and_the_report_on_stderr(
    original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", str(original), "--name", "town", "--machines", "edge"]) == 0
    told = capsys.readouterr()
    (tmp_path / "topology.yml").write_text(told.out)
    assert operate.load(tmp_path / "topology.yml").name == "town"
    assert "lbkit's HAProxy sees the host's files" in told.err
    assert "frontend Web is named web" in told.err
    assert told.err.endswith("haproxy.cfg: 7 lines said by keys, 1 kept as raw, 1 left out\n")


def test_the_topology_goes_to_a_file(
    original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made.yml"
    assert main(["import", str(original), "-o", str(made), "--full"]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "timeouts.connect" in told.err
    assert operate.load(made).name == "shop"
    assert original.read_text() == TEXT


def test_a_section_alone(original: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(original), "--section"]) == 0
    assert capsys.readouterr().out.startswith("load_balancers:\n  shop:\n    machines: lb\n")


def test_as_json(original: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(original), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["problems"]) == ("lbkit.import/1", [])
    assert told["lines"][0] == {
        "line": 2,
        "section": "global",
        "text": "chroot /var/empty",
        "way": "left out",
        "about": "lbkit's HAProxy sees the host's files",
    }
    assert operate.load_data(told["topology"], original.parent).name == "shop"


def test_what_keeps_it_from_being_planned_is_told(original: Path, capsys: pytest.CaptureFixture[str]) -> None:
    original.write_text(TEXT.replace("bind :80", "bind :443 ssl crt /nowhere/a.pem"))
    assert main(["import", str(original)]) == 0
    assert "to be mended: load_balancers.shop.certificates.a.file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["/nowhere/haproxy.cfg"], "No such file"),
        (["/dev/null"], "a regular file"),
        (["CFG", "--name", "No Label"], "--name was to be a name"),
    ],
)
def test_a_mistake_is_told_and_ends_with_64(
    words: list[str], said: str, original: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import", *(str(original) if word == "CFG" else word for word in words)]) == 64
    assert said in capsys.readouterr().err
