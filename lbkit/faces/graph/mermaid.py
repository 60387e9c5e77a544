"""The picture as a Mermaid flowchart, for documents that draw it themselves."""

from __future__ import annotations

from collections.abc import Sequence

from lbkit.engine.view import Node, Picture, Status
from lbkit.faces.graph.boxes import Box, Drawing, look, shortened, sorted_out

_COLORS = {
    "up": "fill:#e3f6ec,stroke:#16915a,color:#10281c",
    "degraded": "fill:#fdf1d8,stroke:#c77d00,color:#33240a",
    "down": "fill:#fde4e4,stroke:#d1343b,color:#3a1214",
    "unknown": "fill:#eef1f5,stroke:#8b95a3,color:#222a33",
    "absent": "fill:#ffffff,stroke:#8b95a3,color:#5c6878,stroke-dasharray:5 4",
}
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:/-_()=+")


def mermaid(picture: Picture, state: Sequence[Status] | None) -> str:
    """A flowchart from left to right. With `state` None nothing is said of health. Same input, same bytes."""
    picture = picture.as_it_is(state or ())
    drawing = sorted_out(picture, state)
    shown = [*drawing.boxes, *(node.id for node in drawing.networks), *drawing.home]
    names = {identity: f"n{index}" for index, identity in enumerate(dict.fromkeys(shown))}
    lines = ["flowchart LR"]
    for box in drawing.boxes.values():
        lines += _box(box, names)
    lines += [f'  {names[node.id]}{{{{"{_label(node)}"}}}}' for node in drawing.networks]
    for edge in picture.edges:
        if edge.source not in names or edge.target not in names:
            continue
        ends = {edge.source, edge.target}
        arrow = "---" if ends & {node.id for node in drawing.networks} else "-.->" if edge.faint else "-->"
        label = f'|"{escaped(shortened(edge.label))}"|' if edge.label else ""
        lines.append(f"  {names[edge.source]} {arrow}{label} {names[edge.target]}")
    return "\n".join([*lines, *_classes(drawing, names), ""])


def _box(box: Box, names: dict[str, str]) -> list[str]:
    if not box.rows:
        return [f'  {names[box.node.id]}["{_label(box.node)}"]']
    return [
        f'  subgraph {names[box.node.id]}["{_label(box.node)}"]',
        *(f'    {names[row.node.id]}("{_label(row.node)}")' for row in box.rows),
        "  end",
    ]


def _classes(drawing: Drawing, names: dict[str, str]) -> list[str]:
    members: dict[str, list[str]] = {}
    for identity, name in names.items():
        if state := look(drawing.states.get(identity)):
            members.setdefault(state, []).append(name)
    return [
        line
        for state, colors in _COLORS.items()
        if state in members
        for line in (f"  classDef {state} {colors}", f"  class {','.join(members[state])} {state}")
    ]


def _label(node: Node) -> str:
    return "<br/>".join(escaped(shortened(line)) for line in (node.label, *node.details))


def escaped(text: str) -> str:
    """Text that Mermaid shows as it is: all but plain letters as entity codes, so that nothing is markup."""
    return "".join(letter if letter in _PLAIN else f"#{ord(letter)};" for letter in text)
