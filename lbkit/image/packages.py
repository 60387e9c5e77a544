"""Debian packages to a tar archive of a root file system, by mmdebstrap with this host's own apt sources and keys."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lbkit.base.errors import Failure
from lbkit.base.run import CommandFailed, MissingProgram, Runner
from lbkit.image.isolation import inside
from lbkit.image.progress import Step, Watch
from lbkit.image.recipe import Recipe
from lbkit.image.running import run_told

EPOCH = 1_700_000_000
"""No file of an image is younger (SOURCE_DATE_EPOCH, reproducible-builds.org): seconds since 1970. Python's byte code is
then checked by content instead of time, and guests are told not to check it at all (baked/boot)."""

_WAYS_OUT = (
    "Acquire::http",
    "Acquire::https",
    "Acquire::Retries",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
)
_NOT_UNPACKED = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
    "/etc/kernel/postinst.d/initramfs-tools",  # the initrd is our own
)
_STAGES = (
    ("running apt-get update", "lists of packages"),
    ("downloading packages", "download packages"),
    ("extracting archives", "unpack packages"),
    ("installing essential", "install essential packages"),
    ("installing remaining", "install packages"),
    ("creating tarball", "pack the root file system"),
)
_USERINFO = re.compile(r"://[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class Sources:
    """`lines` are of sources.list(5), `options` of apt.conf(5): this host's mirrors, and its proxies."""

    lines: tuple[str, ...]
    options: str

    def for_guest(self) -> str:
        """What the image may tell: a mirror that is entered with a password is left out, and so are proxies."""
        return "".join(f"{line}\n" for line in self.lines if not _USERINFO.search(line))


def host_sources(suite: str, runner: Runner) -> Sources:
    """The Debian mirrors that this host's apt has, for `suite`; none: mmdebstrap takes its own. Raises Failure."""
    try:
        listed = runner.run(
            [
                "apt-get",
                "indextargets",
                "--format",
                "$(LABEL) $(REPO_URI)",
                "Created-By: Packages",
                "Origin: Debian",
            ],
            check=False,
        ).stdout
        options = runner.run(["apt-config", "dump", "--format", '%F "%v";%n', *_WAYS_OUT]).stdout
    except MissingProgram as error:
        raise Failure(
            "an image was to be built from Debian packages",
            found=f"this host has no {error.program}",
            remedy="build it on a Debian host, and take it there with `lbkit image add`",
        ) from error
    return Sources(lines_for(suite, listed), options)


def lines_for(suite: str, listed: str) -> tuple[str, ...]:
    """From "LABEL URI" lines of apt's index to lines of sources.list(5)."""
    found = []
    for line in sorted(set(listed.splitlines())):
        label, _, uri = line.partition(" ")
        if label == "Debian":
            found += [f"deb {uri} {suite} main", f"deb {uri} {suite}-updates main"]
        elif label == "Debian-Security":
            found.append(f"deb {uri} {suite}-security main")
    return tuple(found)


def command(recipe: Recipe, archive: Path, options: Path, mirrors: Path | None) -> list[str]:
    """`options` and `mirrors` are files: what they say may be secret."""
    include = ",".join((*recipe.packages, recipe.kernel))
    return [
        "mmdebstrap",
        "--mode=root",  # of the place that `inside` makes
        "--variant=apt",
        "--format=tar",
        f"--aptopt={options}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _NOT_UNPACKED),
        f"--include={include}",
        recipe.suite,
        str(archive),
        *([str(mirrors)] if mirrors else []),
    ]


def bootstrap(recipe: Recipe, sources: Sources, folder: Path, watch: Watch) -> Path:
    """The archive of a root file system with the recipe's packages installed."""
    archive, options, mirrors = folder / "root.tar", folder / "apt.conf", folder / "mirrors.list"
    options.write_text(sources.options, encoding="utf-8")
    mirrors.write_text("".join(f"{line}\n" for line in sources.lines), encoding="utf-8")
    watch(Step("prepare"))
    try:
        _run(command(recipe, archive, options, mirrors if sources.lines else None), folder, watch)
    except CommandFailed as error:
        output = error.completed.stderr
        raise Failure(
            f"the packages of {recipe.name} were to be installed",
            found="\n    ".join(_complaints(output))
            or f"mmdebstrap ended with code {error.completed.returncode}",
            remedy="see that apt reaches its mirrors (`apt-get update`), and that packages to add have a name in "
            f"Debian {recipe.suite}",
        ) from error
    return archive


def _run(argv: Sequence[str], folder: Path, watch: Watch) -> None:
    def told(line: str) -> None:
        for words, stage in _STAGES:
            if line.startswith(f"I: {words}"):
                watch(Step(stage))

    environment = {
        "PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin",
        "TMPDIR": str(folder),
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
    }
    run_told(inside(*argv), told, env=environment)


def _complaints(output: str) -> list[str]:
    """The lines that say why: those of apt and of mmdebstrap's end."""
    lines = [
        line for line in output.splitlines() if re.match(r"(E|Err|dpkg): ?", line) or "ailed to fetch" in line
    ]
    return [_USERINFO.sub("://", line) for line in lines[:5]]
