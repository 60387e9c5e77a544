"""apt as a client of a mirror: with folders of its own, nothing of the machine's configuration, and no try that hides another."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.mirror.archive import ARCHITECTURE, COMPONENT, SUITE, publication_of

_WITHIN = 60.0  # seconds for one call


@dataclass
class Apt:
    """`url` is the archive's top. `around` stands before each command, such as `ip netns exec NAME`.

    `failures` are apt's own words, of all that went wrong; `seen` is the publication that each update found.
    """

    folder: Path
    url: str
    names: Sequence[str]
    by_hash: bool = False
    around: Sequence[str] = ()
    failures: list[str] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    downloads: int = 0

    def __post_init__(self) -> None:
        for name in (
            "etc/apt/apt.conf.d",
            "etc/apt/preferences.d",
            "lists/partial",
            "cache/archives/partial",
            "log",
            "got",
        ):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "status").touch()
        source = f"deb [trusted=yes arch={ARCHITECTURE}] {self.url} {SUITE} {COMPONENT}\n"
        (self.folder / "etc" / "apt" / "sources.list").write_text(source)
        options = {
            "Dir": f"{self.folder}/",
            "Dir::Etc": f"{self.folder}/etc/apt/",
            "Dir::State": f"{self.folder}/",
            "Dir::State::status": f"{self.folder}/status",
            "Dir::Cache": f"{self.folder}/cache/",
            "Dir::Log": f"{self.folder}/log/",
            "APT::Architecture": ARCHITECTURE,
            "APT::Architectures": ARCHITECTURE,
            "APT::Sandbox::User": "root",
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::Retries": "0",
            "Acquire::By-Hash": "yes" if self.by_hash else "no",
            "Acquire::http::Proxy": "DIRECT",
        }
        (self.folder / "apt.conf").write_text(
            "".join(f'{key} "{value}";\n' for key, value in options.items())
        )

    def session(self, chance: random.Random) -> bool:
        """One update, and one download of what it told. Whether all went well."""
        return self.update() and self.download(chance.choice(self.names))

    def forget(self) -> None:
        """From here on it is another machine's, that has seen no index yet."""
        for file in (self.folder / "lists").glob("*_dists_*"):
            file.unlink()

    def update(self) -> bool:
        if not self._call("update"):
            return False
        (release,) = (self.folder / "lists").glob(f"*_dists_{SUITE}_Release")
        self.seen.append(publication_of(release.read_text()))
        return True

    def download(self, name: str) -> bool:
        if not self._call("download", name):
            return False
        for file in (self.folder / "got").iterdir():
            file.unlink()
            self.downloads += 1
        return True

    def _call(self, *words: str) -> bool:
        done = subprocess.run(
            [*self.around, "apt-get", "--quiet", *words],
            cwd=self.folder / "got",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "APT_CONFIG": str(self.folder / "apt.conf")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_WITHIN,
            check=False,
        )
        # an "Ign:" is what it asks for first, and archives need not have: the signed Release file
        wrong = [line for line in done.stdout.splitlines() if line.startswith(("E:", "W:", "Err:"))]
        if done.returncode == 0 and not wrong:
            return True
        self.failures.append(f"apt-get {' '.join(words)}, exit code {done.returncode}:\n{done.stdout}")
        return False
