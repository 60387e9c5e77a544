"""The archive that `ansible-galaxy collection build` makes: all of the collection, nothing else, and it works elsewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import lbkit
from tests.ansible.conftest import ROOT

pytestmark = pytest.mark.sandbox

PLACE = Path("ansible_collections", "lbkit", "core")
FOREIGN = (
    ".ansible/x.json", ".git/config", ".mypy_cache/x", ".pytest_cache/x", ".ruff_cache/x", "changelogs/.plugin-cache.yaml",
    "lbkit-core-0.0.1.tar.gz", "play.retry", "plugins/modules/__pycache__/topology.cpython-311.pyc",
    "tests/integration/inventory", "tests/output/.tmp/x", "tests/output/junit/x.xml",
)  # fmt: skip

PROGRAM = """#!{python}
import sys
from importlib.metadata import entry_points
(script,) = entry_points(group="console_scripts", name="{name}")
sys.exit(script.load()())
"""


def ran(*words: Path | str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        words, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=900
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
    for name in ("ansible-config", "ansible-galaxy", "ansible-playbook", "molecule"):
        program = folder / "bin" / name
        program.write_text(PROGRAM.format(python=python, name=name))
        program.chmod(0o755)
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


def test_it_passes_the_default_scenario_in_an_empty_folder_with_the_wheel_alone(
    netns: None, archive: Path, python: Path, clean: dict[str, str], topology_name: str, tmp_path: Path
) -> None:
    """By no collection but the installed one: neither the checkout's nor what came with the wheel."""
    folder = tmp_path / "elsewhere"
    scenario = folder / "molecule" / "default"
    shutil.copytree(ROOT / "molecule" / "default", scenario)
    shutil.copytree(ROOT / ".config" / "molecule", folder / ".config" / "molecule")
    declared = (scenario / "topology.yml").read_text()
    assert "name: shop-test\n" in declared
    (scenario / "topology.yml").write_text(declared.replace("name: shop-test\n", f"name: {topology_name}\n"))
    path = f"{python.parent}:{os.environ['PATH']}"
    environment = clean | {"ANSIBLE_COLLECTIONS_PATH": str(folder), "NO_COLOR": "1", "PATH": path}
    # By force, as the wheel has the collection, too: Ansible takes what is in its own folders before that.
    words = ("collection", "install", archive, "-p", folder, "--offline", "--force")
    ran(python.parent / "ansible-galaxy", *words, cwd=folder, **environment)
    told = ran(
        *(python.parent / "molecule", "-vvvv", "--base-config", ".config/molecule/config.yml", "test"),
        cwd=folder,
        **environment,
    )
    loaded = re.findall(r"Loading collection lbkit.core from (\S+)", told)
    assert set(loaded) == {str(folder / PLACE)}
    modules = re.findall(r"Using module file (\S+/lbkit/\S+)", told)
    assert {Path(module).stem for module in modules} >= {"topology", "topology_info", "health_check"}
    assert all(Path(module).is_relative_to(folder) for module in modules)
    assert not Path("/run/lbkit", topology_name).exists()


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
