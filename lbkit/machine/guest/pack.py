"""The guest's program as one file: a zip archive of the modules that it needs, which Python runs as it is.

The same sources give the same bytes, on any host. Beside each module lies its bytecode for the Python that packs: where
the guest has the same one, nothing is compiled there, which takes seconds in an emulated guest. Another Python
passes it over (zipimport) and compiles the source.
"""

from __future__ import annotations

import ast
import importlib.util
import io
import marshal
import zipfile
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from lbkit.base.errors import Bug

ENTRY = "lbkit.machine.guest.server"

LATE = ("lbkit.health.probe", "lbkit.machine.local.shim")
"""Imported inside functions, or found by name: what no import at the top of a module leads to."""

_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip archive can tell
_UNCHECKED = (1).to_bytes(4, "little") + bytes(8)  # PEP 552: bytecode that is valid by being there

_MAIN = """import sys
from pathlib import Path
from lbkit.machine.guest.server import main
sys.exit(main(sys.argv[1:], Path(sys.argv[0]).resolve(), {digest!r}))
"""


@dataclass(frozen=True, slots=True)
class Packed:
    """`digest` names the program: the guest says it in its hello."""

    content: bytes
    digest: str


@cache
def packed() -> Packed:
    """The program of this lbkit."""
    sources = {name: _source(name) for name in modules()}
    digest = sha256()
    for name, (path, source) in sources.items():
        for part in (name.encode(), path.encode(), source):
            digest.update(len(part).to_bytes(4, "big") + part)
    word = digest.hexdigest()[:32]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as made:
        _add(made, "__main__.py", _MAIN.format(digest=word).encode())
        for path, source in sources.values():
            _add(made, f"{path}c", _compiled(path, source))
            _add(made, path, source)
    return Packed(archive.getvalue(), word)


@cache
def modules() -> tuple[str, ...]:
    """Every module of lbkit's that the program may import, in the order of their names."""
    found: set[str] = set()
    waiting = [ENTRY, *LATE]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting.extend(_parents(name))
        waiting.extend(_imported(name))
    return tuple(sorted(found))


def _imported(name: str) -> list[str]:
    """Those of lbkit that importing `name` imports: what stands in functions, or is for type checkers, does not count."""
    tree = ast.parse(_source(name)[1])
    found: list[str] = []
    for node in _executed(tree.body):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
            found += [full for alias in node.names if _file(full := f"{node.module}.{alias.name}")]
    return [each for each in found if each.split(".")[0] == "lbkit"]


def _executed(body: list[ast.stmt]) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for node in body:
        found.append(node)
        if isinstance(node, ast.If) and ast.unparse(node.test) != "TYPE_CHECKING":
            found += _executed(node.body) + _executed(node.orelse)
        elif isinstance(node, ast.Try):
            found += _executed(node.body)
    return found


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
