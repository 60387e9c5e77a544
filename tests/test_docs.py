"""The documentation site builds of what stands, and no link in it leads nowhere."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import lbkit

ROOT = Path(lbkit.__file__).parents[1]
COLLECTION = ROOT / "ansible_collections" / "lbkit" / "core"


class Page(HTMLParser):
    """What a page links to, what it loads, and where in it a link can lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.anchors.update(filter(None, (said.get("id"), said.get("name"))))
        if tag == "a" and said.get("href"):
            self.links.append(said["href"] or "")
        elif tag in {"img", "script"} and said.get("src"):
            self.loaded.append(said["src"] or "")
        elif tag == "link" and said.get("href"):
            self.loaded.append(said["href"] or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make docs` builds it: a warning of any tool fails it."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [ROOT / "tools" / "docs", folder], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def content() -> set[tuple[str, str]]:
    """Of the collection: names and what each is."""
    plugins = COLLECTION / "plugins"
    documented = ("modules", "connection", "inventory", "lookup", "callback")
    named = {
        (path.stem, folder.removesuffix("s"))
        for folder in documented
        for path in (plugins / folder).glob("*.py")
    }
    named |= {(path.parents[1].name, "role") for path in COLLECTION.glob("roles/*/meta/argument_specs.yml")}
    assert {("topology", "module"), ("netns", "connection")} <= named
    return named


def test_each_module_plugin_and_role_has_its_page(site: Path) -> None:
    for name, kind in content():
        assert (site / "collection" / f"{name}_{kind}.html").stat().st_size > 0


@pytest.mark.parametrize(
    "table", [ROOT / "docs" / "ansible.md", COLLECTION / "README.md"], ids=["docs", "readme"]
)
def test_each_is_in_the_tables(table: Path) -> None:
    told = set(re.findall(r"`(?:lbkit\.core\.)?(\w+)`", table.read_text(encoding="utf-8")))
    assert {name for name, _ in content()} <= told


def test_each_page_of_the_folder_is_there(site: Path, pages: dict[Path, Page]) -> None:
    folder = ROOT / "docs"
    for source in folder.rglob("*.md"):
        assert site / source.relative_to(folder).with_suffix(".html") in pages


def test_no_link_within_the_site_leads_nowhere(site: Path, pages: dict[Path, Page]) -> None:
    broken = []
    for path, page in pages.items():
        for link in {*page.links, *page.loaded}:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.exists() or (anchor and target in pages and anchor not in pages[target].anchors):
                broken.append((str(path.relative_to(site)), link))
    assert not broken


def test_a_page_loads_nothing_from_elsewhere(pages: dict[Path, Page]) -> None:
    loaded = {link for page in pages.values() for link in page.loaded}
    assert loaded
    assert not [link for link in loaded if urlsplit(link).netloc]


def test_a_module_that_a_page_names_leads_to_its_page(site: Path, pages: dict[Path, Page]) -> None:
    assert "collection/topology_module.html" in pages[site / "ansible.html"].links
