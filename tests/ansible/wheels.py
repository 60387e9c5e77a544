"""Wheels without an index: this checkout's, and of what it needs, packed again from where it is installed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tests.ansible.conftest import ROOT


def own(folder: Path) -> Path:
    words = ("-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder))
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("lbkit_iac-*.whl")
    return wheel


def needed(folder: Path, name: str = "lbkit-iac") -> None:
    """Of all that `name` needs, and what that needs, without extras: into `folder`."""
    for text in metadata.requires(name) or ():
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if packed(metadata.distribution(requirement.name), folder):
            needed(folder, requirement.name)


def packed(package: metadata.Distribution, folder: Path) -> bool:
    """False where its wheel is there. pip looks at RECORD and WHEEL, which an installed package has as its wheel had them."""
    told = package.read_text("WHEEL") or ""
    tags = [line.partition(": ")[2] for line in told.splitlines() if line.startswith("Tag: ")]
    name = package.metadata["Name"].replace("-", "_").replace(".", "_")
    wheel = folder / f"{name}-{package.version}-{tags[0]}.whl"
    if wheel.exists():
        return False
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in package.files or ():
            if ".." not in path.parts and "__pycache__" not in path.parts and path.name != "direct_url.json":
                archive.write(path.locate(), str(path))
    return True
