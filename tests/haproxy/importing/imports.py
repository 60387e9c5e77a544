"""Configurations that are imported, and what comes of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lbkit.engine.scope import Scope
from lbkit.haproxy.config.files import FileKind
from lbkit.haproxy.config.make import config_of
from lbkit.haproxy.importing.compare import differences
from lbkit.haproxy.importing.report import Way
from lbkit.haproxy.importing.whole import Imported, imported
from lbkit.haproxy.importing.yaml_text import yaml_text
from lbkit.haproxy.resolved import LoadBalancers
from lbkit.haproxy.text.render import render
from lbkit.topology.load import load_text

CASES = Path(__file__).with_name("cases")
ALL = sorted(path.stem for path in CASES.glob("*.cfg"))


@dataclass(frozen=True)
class Made:
    """`text`: of the configuration that lbkit renders; `files`: those beside it, by their paths."""

    found: Imported
    yaml: str
    scope: Scope
    text: str
    files: dict[str, bytes]
    lists: dict[str, str]


def made(original: str, folder: Path = Path("/nowhere")) -> Made:
    found = imported(original, name="shop")
    yaml = yaml_text(found.document, found.lines, "haproxy.cfg")
    scope = load_text(yaml, "topology.yml", folder)
    config = config_of(scope.of("haproxy", LoadBalancers).by_name["shop"], mark="lbkit:shop", user=None)
    return Made(
        found,
        yaml,
        scope,
        render(config),
        {file.path: file.content for file in config.files},
        {file.path: file.content.decode() for file in config.files if file.kind is FileKind.LIST},
    )


def case(name: str) -> str:
    return (CASES / f"{name}.cfg").read_text()


def differing(original: str, of: Made) -> list[str]:
    """But for the lines that the report says were left out."""
    left = {entry.number for entry in of.found.report.of(Way.LEFT_OUT)}
    lines = ("" if number in left else line for number, line in enumerate(original.split("\n"), start=1))
    return differences("\n".join(lines), of.text, of.lists)


def put(of: Made, folder: Path) -> Path:
    """The configuration in a folder, ready for `haproxy -f haproxy.cfg`."""
    for path, content in of.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / "servers.state").touch()
    (folder / "haproxy.cfg").write_text(of.text)
    return folder / "haproxy.cfg"
