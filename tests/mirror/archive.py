"""A small Debian archive that is published anew and anew, as a real one does it: new packages first, then the indices, then the Release
file, and what no index names any more goes last. A marker stands at its top from the first step to the last.

Its packages are small ones of apt's cache; where that has too few (a fresh machine, a container), tiny ones are made. Both are real
packages, made by dpkg-deb. What a publication has depends on its number and the packages alone; its times are those of the clock.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

CACHE = Path("/var/cache/apt/archives")
SUITE, COMPONENT, ARCHITECTURE = "stable", "main", "amd64"
MARKER = "Archive-Update-in-Progress-archive.example.test"

_SMALL = 16 << 10  # bytes of a package of the cache that is taken
_FIRST = datetime(2020, 1, 1, tzinfo=UTC)  # of publication 0; apt refuses dates of the future
_BY_HASH_KEPT = 3  # publications whose indices are found by their digest


@dataclass(slots=True)
class Package:
    """`unpacked` is as `dpkg-deb --raw-extract` leaves it; `version` the one of it without the publication's number."""

    name: str
    version: str
    architecture: str
    unpacked: Path


class Archive:
    """`root` is what a mirror fetches and clients read; `work`, on the same disk, is nobody's."""

    def __init__(self, root: Path, work: Path, *, packages: int = 12, cache: Path = CACHE) -> None:
        self.root, self._work = root, work
        self.publication = -1
        (work / "new").mkdir(parents=True)
        self._packages = _packages(work / "unpacked", packages, cache)
        self._stanzas: dict[str, str] = {}
        self._files: dict[str, Path] = {}
        self._by_hash: list[list[Path]] = []
        (self._dist / COMPONENT / f"binary-{ARCHITECTURE}").mkdir(parents=True)
        with self._updating():
            for package in self._packages:
                self._add(package, 0)
            self._export(0)
        self.publication = 0

    @property
    def names(self) -> list[str]:
        return [package.name for package in self._packages]

    @property
    def _dist(self) -> Path:
        return self.root / "dists" / SUITE

    def publish(self) -> int:
        """The next one: a package has a new version, and its older one is gone. Returns its number."""
        number = self.publication + 1
        package = self._packages[number % len(self._packages)]
        with self._updating():
            older = self._files[package.name]
            self._add(package, number)
            gone = self._export(number)
            for path in (older, *gone):
                path.unlink()
        self.publication = number
        return number

    def _updating(self) -> _Marked:
        return _Marked(self.root / MARKER)

    def _add(self, package: Package, number: int) -> None:
        version = f"{package.version}+p{number}"
        control = package.unpacked / "DEBIAN" / "control"
        lines = [
            f"Version: {version}" if line.startswith("Version:") else line
            for line in control.read_text().splitlines()
        ]
        control.write_text("\n".join(lines) + "\n")
        folder = Path("pool", COMPONENT, package.name[0], package.name)
        file = folder / f"{package.name}_{version.rpartition(':')[2]}_{package.architecture}.deb"
        built = self._work / "new" / "built.deb"
        _run(
            "dpkg-deb",
            "-Zgzip",
            "-z1",
            "--root-owner-group",
            "--build",
            str(package.unpacked),
            str(built),
            SOURCE_DATE_EPOCH=str(int(_date(number).timestamp())),
        )
        content = built.read_bytes()
        built.chmod(0o644)
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        built.rename(self.root / file)
        self._files[package.name] = self.root / file
        self._stanzas[package.name] = "\n".join(
            [
                *lines,
                f"Filename: {file}",
                f"Size: {len(content)}",
                f"MD5sum: {hashlib.md5(content, usedforsecurity=False).hexdigest()}",
                f"SHA256: {hashlib.sha256(content).hexdigest()}",
            ]
        )

    def _export(self, number: int) -> list[Path]:
        """The indices, and at last the Release file. Returns what may be removed after it."""
        folder = Path(COMPONENT, f"binary-{ARCHITECTURE}")
        text = "".join(f"{self._stanzas[name]}\n\n" for name in sorted(self._stanzas)).encode()
        contents = {
            folder / "Packages": text,
            folder / "Packages.gz": gzip.compress(text, 6, mtime=0),
            folder / "Packages.xz": lzma.compress(text, preset=0),
        }
        (self._dist / folder / "by-hash" / "SHA256").mkdir(parents=True, exist_ok=True)
        ours = []
        for path, content in contents.items():
            self._write(self._dist / path, content)
            by_hash = self._dist / folder / "by-hash" / "SHA256" / hashlib.sha256(content).hexdigest()
            by_hash.unlink(missing_ok=True)
            os.link(self._dist / path, by_hash)
            ours.append(by_hash)
        self._write(self._dist / "Release", _release(number, contents))
        self._by_hash.append(ours)
        gone = [path for paths in self._by_hash[:-_BY_HASH_KEPT] for path in paths]
        del self._by_hash[:-_BY_HASH_KEPT]
        return gone

    def _write(self, path: Path, content: bytes) -> None:
        new = self._work / "new" / "index"
        new.write_bytes(content)
        new.chmod(0o644)
        new.rename(path)


def publication_of(release: str) -> int:
    """Which one a Release file is of."""
    found = re.search(r"^Description: publication ([0-9]+)$", release, re.MULTILINE)
    assert found is not None, release
    return int(found[1])


def faults(tree: Path) -> list[str]:
    """Why a tree is not one publication, whole: nothing where it is. Every byte that the Release file vouches for is read."""
    found = [f"{path.name} is there" for path in tree.glob("Archive-Update-in-Progress-*")]
    dist = tree / "dists" / SUITE
    for name, (size, digest) in _vouched((dist / "Release").read_text()).items():
        found += _unlike(dist / name, size, digest)
    index = (dist / COMPONENT / f"binary-{ARCHITECTURE}" / "Packages").read_text()
    named = set()
    for stanza in index.split("\n\n")[:-1]:
        fields = _fields(stanza)
        named.add(tree / fields["Filename"])
        found += _unlike(tree / fields["Filename"], int(fields["Size"]), fields["SHA256"])
    found += [f"{path.name} is of another publication" for path in set(tree.rglob("*.deb")) - named]
    return found


def _vouched(release: str) -> dict[str, tuple[int, str]]:
    lines = release.partition("\nSHA256:\n")[2].splitlines()
    return {name: (int(size), digest) for digest, size, name in map(str.split, lines)}


def _unlike(path: Path, size: int, digest: str) -> list[str]:
    if not path.exists():
        return [f"{path.name} is not there"]
    content = path.read_bytes()
    if len(content) != size or hashlib.sha256(content).hexdigest() != digest:
        return [f"{path.name} is not as the Release file says"]
    return []


class _Marked:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._path.touch()

    def __exit__(self, *_error: object) -> None:
        self._path.unlink()


def _date(number: int) -> datetime:
    return _FIRST + timedelta(minutes=number)


def _release(number: int, contents: dict[Path, bytes]) -> bytes:
    lines = [
        "Origin: lbkit",
        "Label: lbkit",
        f"Suite: {SUITE}",
        f"Codename: {SUITE}",
        f"Date: {_date(number):%a, %d %b %Y %H:%M:%S} UTC",
        f"Architectures: {ARCHITECTURE}",
        f"Components: {COMPONENT}",
        f"Description: publication {number}",
        "Acquire-By-Hash: yes",
        "SHA256:",
    ]
    lines += [
        f" {hashlib.sha256(content).hexdigest()} {len(content):8} {path}"
        for path, content in contents.items()
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _packages(folder: Path, number: int, cache: Path) -> list[Package]:
    folder.mkdir()
    found: dict[str, Package] = {}
    for file in _small(cache):
        if len(found) == number:
            break
        unpacked = folder / str(len(found))
        _run("dpkg-deb", "--raw-extract", str(file), str(unpacked))
        package = _described(unpacked)
        if package.architecture in {ARCHITECTURE, "all"}:
            found.setdefault(package.name, package)
    for index in range(len(found), number):  # too few are there: ours
        unpacked = folder / f"made-{index}"
        (unpacked / "DEBIAN").mkdir(parents=True)
        (unpacked / "DEBIAN" / "control").write_text(
            f"Package: lbkit-test-{index}\nVersion: 1.0\nArchitecture: all\n"
            "Maintainer: Nobody <nobody@example.test>\nDescription: one package of a test's archive\n"
        )
        (unpacked / "usr").mkdir()
        (unpacked / "usr" / f"file-{index}").write_bytes(hashlib.sha512(b"%d" % index).digest() * 32)
        found[f"lbkit-test-{index}"] = _described(unpacked)
    return list(found.values())


def _small(cache: Path) -> Iterator[Path]:
    sizes = {file: file.stat().st_size for file in cache.glob("*.deb")} if cache.is_dir() else {}
    yield from sorted(
        (file for file, size in sizes.items() if size <= _SMALL), key=lambda file: (sizes[file], file)
    )


def _described(unpacked: Path) -> Package:
    fields = _fields((unpacked / "DEBIAN" / "control").read_text())
    return Package(fields["Package"], fields["Version"], fields["Architecture"], unpacked)


def _fields(stanza: str) -> dict[str, str]:
    """Those of one line."""
    return dict(line.split(": ", 1) for line in stanza.splitlines() if line[:1].isalpha() and ": " in line)


def _run(*argv: str, **more: str) -> None:
    done = subprocess.run(
        argv,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
