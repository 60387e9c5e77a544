"""Wheels without an index: this checkout's, and ones that stand for what it needs, whose packages are those of this environment."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
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


def needed(folder: Path) -> None:
    """For each package that lbkit-iac needs one of the same version, which leads to where this environment has it."""
    for text in metadata.requires("lbkit-iac") or ():
        requirement = Requirement(text)
        if requirement.marker is None:  # what extras need has one
            package = metadata.distribution(requirement.name)
            standing_for(package.metadata["Name"].replace("-", "_"), package.version, folder)


def standing_for(name: str, version: str, folder: Path) -> None:
    """What a .pth names gives its packages, and not what its own .pth files name: this checkout."""
    told = f"{name}-{version}.dist-info"
    files = {
        f"{name}.pth": sysconfig.get_path("purelib"),
        f"{told}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{told}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in (*files, f"{told}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for file, text in {**files, f"{told}/RECORD": record}.items():
            wheel.writestr(file, text)
