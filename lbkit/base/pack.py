"""Programs of lbkit's own for machines, each as one file: a zip archive of the modules that it needs, which Python runs as it is.

The same sources give the same bytes, on any host. Beside each module lies its bytecode for the Python that packs: where
the machine has the same one, nothing is compiled there, which takes seconds in an emulated guest. Another Python
passes it over (zipimport) and compiles the source.
"""

from __future__ import annotations

import importlib.util
import io
import marshal
import re
import zipfile
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from lbkit.base.errors import Bug

# A plan asks for the digest: to parse all of it takes 300 ms, this 10. What stands indented is for functions, or for type
# checkers; a test holds that this is what Python imports.
_IMPORT = re.compile(rb"^(?:from (lbkit[\w.]*) import (\([^)]*\)|[^\n]*)|import (lbkit[\w.]*))", re.MULTILINE)
_NAME = re.compile(rb"\w+")

_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip archive can tell
_UNCHECKED = (1).to_bytes(4, "little") + bytes(8)  # PEP 552: bytecode that is valid by being there


@dataclass(frozen=True, slots=True)
class Packed:
    """`digest` names the program: its sources alone, whatever packed them."""

    content: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class Program:
    """`entries` are the modules that it needs, with all that their imports lead to at the top: also those that are imported inside
    functions, or found by name. `start` is the text of its `__main__`, in which {digest!r} stands for the program's own.
    """

    entries: tuple[str, ...]
    start: str

    def packed(self) -> Packed:
        return _packed(self)

    @property
    def digest(self) -> str:
        """That of `packed`, without packing."""
        return _digest(self)

    @property
    def modules(self) -> tuple[str, ...]:
        """Every module of lbkit's that it may import, in the order of their names."""
        return tuple(_sources(self))


@cache
def _packed(program: Program) -> Packed:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as made:
        _add(made, "__main__.py", program.start.format(digest=program.digest).encode())
        for path, source in _sources(program).values():
            _add(made, f"{path}c", _compiled(path, source))
            _add(made, path, source)
    return Packed(archive.getvalue(), program.digest)


@cache
def _digest(program: Program) -> str:
    digest = sha256()
    for name, (path, source) in _sources(program).items():
        for part in (name.encode(), path.encode(), source):
            digest.update(len(part).to_bytes(4, "big") + part)
    return digest.hexdigest()[:32]


@cache
def _sources(program: Program) -> dict[str, tuple[str, bytes]]:
    """Each module's path in the archive, and its text."""
    found: dict[str, tuple[str, bytes]] = {}
    waiting = [*program.entries]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = _source(name)
        waiting += [*_parents(name), *_imported(found[name][1])]
    return dict(sorted(found.items()))


def _imported(source: bytes) -> list[str]:
    """The modules of lbkit that executing this imports."""
    found: list[str] = []
    for each in _IMPORT.finditer(source):
        module = (each[1] or each[3]).decode()
        found.append(module)
        names = {word.decode() for word in _NAME.findall(each[2] or b"")}
        found += [f"{module}.{name}" for name in names if name in _inside(module)]
    return found


@cache
def _inside(package: str) -> frozenset[str]:
    """The names of modules in it; none where it is no package."""
    folder = files("lbkit").joinpath(*package.split(".")[1:])
    return (
        frozenset(each.name.removesuffix(".py") for each in folder.iterdir())
        if folder.is_dir()
        else frozenset()
    )


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _file(name: str) -> tuple[str, Traversable] | None:
    """Its path in the archive, and its text; None where no module has that name. Nothing is imported for it."""
    path = name.split(".")
    for form in (f"{'/'.join(path)}.py", f"{'/'.join(path)}/__init__.py"):
        file = files("lbkit").joinpath(*form.split("/")[1:])
        if file.is_file():
            return form, file
    return None


def _source(name: str) -> tuple[str, bytes]:
    found = _file(name)
    if found is None:
        raise Bug("a module of lbkit's was to be packed", found=f"there is no {name}")
    return found[0], found[1].read_bytes()


def _compiled(path: str, source: bytes) -> bytes:
    code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    return (
        importlib.util.MAGIC_NUMBER + _UNCHECKED + marshal.dumps(code, 2)
    )  # later formats depend on how often an object is used elsewhere


def _add(archive: zipfile.ZipFile, path: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(path, _TIME)
    entry.create_system = 3  # Unix, whatever packs it
    entry.external_attr = 0o100644 << 16
    archive.writestr(entry, content)
