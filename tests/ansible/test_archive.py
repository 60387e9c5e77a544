"""The archive that `ansible-galaxy collection build` makes: all of the collection, nothing else, and it works elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import lbkit
from tests.ansible.conftest import ROOT, player

pytestmark = pytest.mark.sandbox

PLACE = Path("ansible_collections", "lbkit", "core")
FOREIGN = (
    ".ansible/x.json", ".git/config", ".mypy_cache/x", ".pytest_cache/x", ".ruff_cache/x", "changelogs/.plugin-cache.yaml",
    "lbkit-core-0.0.1.tar.gz", "play.retry", "plugins/modules/__pycache__/topology.cpython-311.pyc",
    "tests/integration/inventory", "tests/output/.tmp/x", "tests/output/junit/x.xml",
)  # fmt: skip


def ran(*words: Path | str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        words, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def clean(tmp_path: Path) -> dict[str, str]:
    """What of this checkout, and of who runs the tests, neither Ansible nor Python may find."""
    empty = tmp_path / "none.cfg"
    empty.touch()
    return {
        "ANSIBLE_CONFIG": str(empty),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote"),
        "HOME": str(tmp_path),
        "PYTHONPATH": "",
    }


@pytest.fixture
def files() -> set[str]:
    """What git would keep of the collection, as paths in it."""
    known = ran("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT / PLACE)
    return {name for name in known.split("\0") if name and (ROOT / PLACE / name).exists()}


@pytest.fixture
def archive(files: set[str], clean: dict[str, str], tmp_path: Path) -> Path:
    """Built where somebody worked with the collection before."""
    folder = tmp_path / "checkout" / PLACE
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / PLACE / name).read_bytes())
    for name in FOREIGN:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("foreign")
    program = Path(sys.executable).with_name("ansible-galaxy")
    ran(program, "collection", "build", "--output-path", tmp_path, cwd=folder, **clean)
    (built,) = tmp_path.glob("lbkit-core-*.tar.gz")
    return built


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """Of an environment that has the wheel and what it needs, and nothing of this checkout."""
    folder = tmp_path / "environment"
    ran(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path, cwd=ROOT)
    (wheel,) = tmp_path.glob("lbkit_iac-*.whl")
    ran(sys.executable, "-m", "venv", "--without-pip", folder, cwd=tmp_path)
    python = folder / "bin" / "python"
    words = ("install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    ran(sys.executable, "-m", "pip", "--python", python, *words, wheel, cwd=tmp_path)
    (packages,) = folder.glob("lib/python*/site-packages")
    # What a .pth names gives its packages, and not what its own .pth files name: this checkout.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    assert ran(python, "-c", "import lbkit; print(lbkit.__file__)", cwd=tmp_path, PYTHONPATH="").startswith(
        str(packages)
    )
    return python


def test_it_has_the_collection_and_nothing_foreign(archive: Path, files: set[str]) -> None:
    with tarfile.open(archive) as opened:
        found = {member.name for member in opened.getmembers() if member.isfile()}
        folders = {member.name for member in opened.getmembers() if member.isdir()}
        manifest = opened.extractfile("MANIFEST.json")
        assert manifest
        told = json.load(manifest)["collection_info"]
    assert found == files - {"galaxy.yml"} | {"MANIFEST.json", "FILES.json"}
    assert not folders & {"tests/output", ".ansible", "plugins/modules/__pycache__"}
    assert archive.name == f"lbkit-core-{lbkit.__version__}.tar.gz"
    assert told["version"] == lbkit.__version__
    assert told["readme"] in found


def test_its_module_works_from_an_empty_folder_with_the_wheel_alone(
    netns: None, archive: Path, python: Path, clean: dict[str, str], topology_name: str, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    environment = os.environ | clean | {"ANSIBLE_COLLECTIONS_PATH": str(folder)}
    # By force, as the wheel has the collection, too: Ansible takes what is in its own folders before that.
    words = ("collection", "install", archive, "-p", folder, "--offline", "--force")
    ran(python, "-m", "ansible", "galaxy", *words, cwd=folder, **environment)
    told = ran(python, "-m", "ansible", "doc", "--json", "lbkit.core.topology", cwd=folder, **environment)
    assert Path(json.loads(told)["lbkit.core.topology"]["doc"]["filename"]).is_relative_to(folder)
    definition = {
        "lbkit": 1,
        "name": topology_name,
        "networks": {"in": {"cidr": "10.83.0.0/24"}},
        "machines": {"web": {"count": 2, "networks": ["in"]}},
    }
    task = {"name": "make", "lbkit.core.topology": {"definition": definition}}
    playbook = folder / "play.yml"
    here = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    playbook.write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task], "vars": here}])
    )
    play = player([python, "-m", "ansible", "playbook", "-i", "localhost,"], lambda: environment, folder)

    made = play(playbook)
    assert made.code == 0, made.text
    assert {row["health"] for row in made.task("make")["status"]} == {"up"}
    again = play(playbook)
    assert (again.code, again.recap["changed"]) == (0, 0), again.text


def test_it_says_what_an_execution_environment_needs() -> None:
    needs = yaml.safe_load((ROOT / PLACE / "meta" / "execution-environment.yml").read_text())["dependencies"]
    lines = [
        line.partition("#")[0].strip() for line in (ROOT / PLACE / needs["python"]).read_text().splitlines()
    ]
    (requirement,) = (Requirement(line) for line in lines if line)
    assert requirement.name == "lbkit-iac"
    assert requirement.specifier.contains(lbkit.__version__)
    assert "libvirt" in requirement.extras
    profile = r"[a-z0-9.+-]+( \[(compile ?)?(platform:(dpkg|rpm))?\])?"
    for line in (ROOT / PLACE / needs["system"]).read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(profile, line), line
