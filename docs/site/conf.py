"""The documentation site, of the pages of docs/ and of what the collection says of itself (tools/docs lays both out).

The pages are written for a plain forge. What a site needs beside is made of them: its menu of the links of docs/index.md and of
ARCHITECTURE.md, and a link to a module's page wherever its whole name stands in a text as code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform

project = "lbkit"
project_copyright = "lbkit maintainers"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
exclude_patterns = ["site"]
html_theme = "furo"
html_title = "lbkit"
html_copy_source = False
html_use_index = False
highlight_language = "text"  # a fence that says nothing is a terminal's
nitpicky = True
myst_heading_anchors = 4  # named as forges name them

# Pages of Ansible's own documentation that antsibull-docs refers to.
_ANSIBLE = "https://docs.ansible.com/ansible/latest/"
_OF_ANSIBLE = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "ansible_variable_precedence": "reference_appendices/general_precedence.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}
_HEADING = re.compile(r"^## (?P<words>.*)$", re.MULTILINE)
_PAGE = re.compile(r"\]\((?P<page>[\w/-]+)\.md\)")
# Of pages that antsibull-docs made: a list of contents, which the theme has beside the page; links to nowhere, of addresses that
# galaxy.yml leaves empty; entries of the menu, which would be whole sentences; the collection's name, written as a title.
_CONTENTS = re.compile(r"^\.\. contents::\n(?:  +:.*\n)+", re.MULTILINE)
_ENTRY = re.compile(r"^    (?P<name>(?P<short>\w+)_[a-z]+)$", re.MULTILINE)
_TITLE = re.compile(r"^Lbkit\.Core\n=+$", re.MULTILINE)
_NO_ADDRESS = re.compile(r"^\.\. ansible-links::\n\n(?:  - .*\n    url: \"\"\n    .*\n)+", re.MULTILINE)


def of_one_folder(name: str, text: str) -> str:
    """A page's links as they are here: what lies in docs/ in a checkout lies beside what lies above it."""
    if name.startswith("adr/"):
        return text.replace("](../../", "](../")
    if "/" in name:  # of another folder: nothing but links lead there
        return "---\norphan: true\n---\n" + text.replace("](../docs/", "](../")
    return text.replace("](../", "](").replace("](docs/", "](")


def menu(text: str) -> Iterator[str]:
    """For each heading of second order a part of the menu, of the pages that its text links to."""
    words = _HEADING.split(text)
    for caption, section in zip(words[1::2], words[2::2], strict=True):
        pages = list(dict.fromkeys(_PAGE.findall(section)))
        if "lbkit.core.topology" in section:
            pages.append("collection/index")
        if pages:
            yield "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])


def read(_: Sphinx, name: str, source: list[str]) -> None:
    if name.startswith("collection/"):
        source[0] = _NO_ADDRESS.sub("", _CONTENTS.sub("", source[0]))
        if name == "collection/index":
            title = "Modules and plugins"
            source[0] = _TITLE.sub(f"{title}\n{'=' * len(title)}", source[0])
            source[0] = _ENTRY.sub(r"    \g<short> <\g<name>>", source[0])
        return
    source[0] = of_one_folder(name, source[0])
    if name in {"index", "ARCHITECTURE"}:
        source[0] += "".join(menu(source[0]))


class Modules(SphinxPostTransform):
    """`lbkit.core.NAME` in a text leads to its page; where a module and a plugin have one name, the module's."""

    default_priority = 5

    def run(self, **_: Any) -> None:
        if self.env.current_document.docname.startswith("collection/"):
            return
        for literal in list(self.document.findall(nodes.literal)):
            page = self.page(literal.astext())
            if page is not None and not isinstance(literal.parent, nodes.reference):
                at = self.app.builder.get_relative_uri(self.env.current_document.docname, page)
                literal.replace_self(nodes.reference("", "", literal.deepcopy(), internal=True, refuri=at))

    def page(self, name: str) -> str | None:
        collection, _, short = name.rpartition(".")
        kinds = ("module", "role", "lookup", "connection", "inventory", "callback")
        pages = (f"collection/{short}_{kind}" for kind in kinds if collection == "lbkit.core")
        return next((page for page in pages if page in self.env.found_docs), None)


def ansible_page(
    _: Sphinx, __: BuildEnvironment, node: nodes.Element, words: nodes.TextElement
) -> nodes.reference | None:
    target = node.get("reftarget", "")
    page = _OF_ANSIBLE.get(target)
    if target.startswith("ANSIBLE_"):
        page = f"reference_appendices/config.html#envvar-{target}"
    return None if page is None else nodes.reference("", "", words, internal=False, refuri=_ANSIBLE + page)


def setup(app: Sphinx) -> None:
    app.connect("source-read", read)
    app.connect("missing-reference", ansible_page)
    app.add_post_transform(Modules)
