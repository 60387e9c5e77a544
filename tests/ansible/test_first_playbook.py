"""What docs/first-playbook.md tells a new user to type works, just as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lbkit.base import syscalls
from lbkit.base.host import Host
from tests.ansible.conftest import ROOT

pytestmark = pytest.mark.sandbox

PAGE = ROOT / "docs" / "first-playbook.md"
USER = 65534  # who is not root, where the tests can be somebody else
_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"[Ss]ave this as `(?P<name>[\w.]+)`|^And this as `(?P<other>[\w.]+)`", re.MULTILINE)


def blocks() -> list[tuple[str, str]]:
    """In their order: ("sh", commands), or a file's name and what is in it."""
    told = PAGE.read_text(encoding="utf-8")
    found = []
    before = 0
    for block in _BLOCK.finditer(told):
        if block["language"] == "sh":
            found.append(("sh", block["text"]))
        else:
            (name,) = _NAME.finditer(
                told, before, block.start()
            )  # each block is told its name just before it
            found.append((name["name"] or name["other"], block["text"]))
        before = block.end()
    return found


def needed(name: str, extras: frozenset[str] = frozenset()) -> dict[str, Distribution]:
    """All that pip would install for it, of what is installed here."""
    known: dict[str, Distribution] = {}
    todo = [(name, extras)]
    while todo:
        each, of = todo.pop()
        for line in distribution(each).requires or ():
            requirement = Requirement(line)
            asked = canonicalize_name(requirement.name)
            markers = requirement.marker
            wanted = markers is None or any(markers.evaluate({"extra": extra}) for extra in {"", *of})
            if wanted and asked not in known:
                known[asked] = distribution(asked)
                todo.append((asked, frozenset(requirement.extras)))
    return known


def packed(installed: Distribution, folder: Path) -> None:
    """An installed distribution as the wheel that it came from, but for its scripts, which pip makes anew."""
    (tag, *_) = re.findall(r"^Tag: (\S+)$", installed.read_text("WHEEL") or "", re.MULTILINE)
    name = f"{installed.name.replace('-', '_')}-{installed.version}-{tag}.whl"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        for file in installed.files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                wheel.write(installed.locate_file(file), str(file))  # type: ignore[arg-type]


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """What a new user's pip would find on the network."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for installed in needed("lbkit-iac", frozenset({"ansible"})).values():
        packed(installed, folder)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home that is not below /run, where this sandbox has its temporary files: that is empty in the sandbox of the page."""
    syscalls.mount(str(tmp_path), "/mnt", "", syscalls.MS_BIND)
    yield Path("/mnt")
    syscalls.unmount("/mnt")


def test_a_new_user_gets_as_far_as_the_page_says(netns: None, wheels: Path, home: Path) -> None:
    folder = home / "empty"
    folder.mkdir()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    script = []
    for language, text in blocks():
        if language == "sh":
            script += [text, "echo '-- done'\n"]
        else:
            script.append(f"cat > {language} <<'END OF FILE'\n{text}END OF FILE\n")
    environment = {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_FIND_LINKS": str(home / wheels.name),
        "PIP_NO_COMPILE": "1",
        "PIP_NO_INDEX": "1",
        "SHELL": "/bin/bash",
        "SHELLOPTS": "errexit",  # of the sandbox's shell, too
        "TMPDIR": str(home),
    }
    become = []
    if Host().can_switch_user:
        become = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        for path in (home, *home.rglob("*")):
            os.chown(path, USER, USER)
    done = subprocess.run(
        [*become, "bash"], cwd=folder, env=environment, input="".join(script), capture_output=True, text=True,
        check=False, timeout=600,
    )  # fmt: skip
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert done.stdout.count("-- done") == sum(language == "sh" for language, _ in blocks()), told
    recaps = [int(changed) for changed in re.findall(r"localhost +: .*?changed=(\d+)", done.stdout)]
    assert recaps[:3] == [1, 1, 0], told  # check mode says what the first run does; the second does nothing
    assert re.search(r"[1-9]\d* requests, 0 failed", done.stdout), told
    assert "hitless" in done.stdout
    assert re.search(r"^Hello from web-\d$", done.stdout, re.MULTILINE), told
