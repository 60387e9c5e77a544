"""The picture as one SVG document, built as a tree: no text of the world meets markup but through it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from lbkit.engine.view import Picture, Status
from lbkit.faces.graph.boxes import (
    DETAIL,
    HEAD,
    LINE,
    PAD,
    ROW,
    Drawing,
    Row,
    look,
    mono_width,
    printable,
    row_text,
    shortened,
    sorted_out,
    text_width,
)
from lbkit.faces.graph.look import HUES, OTHER, SIGNS, STATES, stylesheet
from lbkit.faces.graph.placing import MARGIN, RAIL, Curve, Placed, PlacedBox, Rail, across, placed

_WORDS = {
    "up": "up",
    "degraded": "degraded",
    "down": "down",
    "unknown": "unknown",
    "absent": "not there",
}


def svg(name: str, picture: Picture, state: Sequence[Status] | None) -> str:
    """One standalone SVG document. With `state` None nothing is said of health. Same input, same bytes."""
    picture = picture.as_it_is(state or ())
    drawing = sorted_out(picture, state)
    plan = placed(picture, drawing, least_width=_header_width(name, drawing))
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {_n(plan.width)} {_n(plan.height)}",
            "width": _n(plan.width),
            "height": _n(plan.height),
            "role": "img",
            "aria-label": printable(f"Topology {name}"),
        },
    )
    ET.SubElement(root, "title").text = printable(f"Topology {name}")
    ET.SubElement(root, "style").text = "\n" + stylesheet() + "\n"
    _draw(root, "rect", "page", x=0.5, y=0.5, width=plan.width - 1, height=plan.height - 1, rx=14)
    _header(root, name, drawing, plan)
    for rail in plan.rails:
        _trunks(root, rail)
    for rail in plan.rails:
        _rail(root, rail, drawing.states.get(rail.node.id))
    for curve in plan.curves:
        _curve(root, curve, drawing)
    for box in plan.boxes:
        _box(root, box)
    for curve in plan.curves:
        _edge_label(root, curve)
    ET.indent(root, " ")
    return ET.tostring(root, encoding="unicode") + "\n"


def _header_width(name: str, drawing: Drawing) -> float:
    shown = len(_counts(drawing))
    return 2 * MARGIN + max(text_width(shortened(name), 21, bold=True) + 40 + shown * 110, 320)


def _counts(drawing: Drawing) -> Counter[str]:
    """How many boxes, rows and networks there are of each state."""
    shown = {*drawing.home, *(node.id for node in drawing.networks)}
    return Counter(look(row) for identity, row in drawing.states.items() if identity in shown)


def _header(root: ET.Element, name: str, drawing: Drawing, plan: Placed) -> None:
    _text(root, "title", MARGIN, MARGIN + 20, shortened(name))
    counts = _counts(drawing)
    x = plan.width - MARGIN
    for state in reversed(STATES):
        if not counts[state]:
            continue
        words = f"{counts[state]} {_WORDS[state]}"
        _text(root, "key", x, MARGIN + 18, words, anchor="end")
        x -= text_width(words, 11)  # a legend need not be tight
        x -= 12
        _state(root, x, MARGIN + 14, state)
        x -= 22


def _trunks(root: ET.Element, rail: Rail) -> None:
    hue = f"h{rail.hue % HUES}"
    for x, top in rail.trunks:
        _draw(root, "path", f"trunk {hue}", d=f"M{_n(x)} {_n(rail.y)}V{_n(top)}")
    for x, (end, y) in rail.stubs:
        _draw(root, "path", f"trunk {hue}", d=f"M{_n(x)} {_n(y)}H{_n(end)}")
        _draw(root, "circle", f"dot {hue}", cx=x, cy=y, r=2.5)


def _rail(root: ET.Element, rail: Rail, state: Status | None) -> None:
    hue = f"h{rail.hue % HUES}"
    group = _group(root, rail.node.id, rail.node.label, rail.node.details, state)
    _draw(group, "rect", "behind", x=rail.x, y=rail.y, width=rail.width, height=RAIL, rx=8)
    _draw(group, "rect", f"rail {hue}", x=rail.x, y=rail.y, width=rail.width, height=RAIL, rx=8)
    label = shortened(rail.node.label)
    middle = rail.y + RAIL / 2
    _text(group, "rail-name", rail.x + PAD, middle + 4.5, label)
    x = rail.x + PAD + text_width(label, 13, bold=True) + 12
    for detail in map(shortened, rail.node.details):
        _text(group, "detail", x, middle + 4, detail)
        x += mono_width(detail, DETAIL) + 14
    for x, _ in rail.trunks:
        _draw(group, "circle", f"dot {hue}", cx=x, cy=rail.y, r=3.5)
    if state is not None:
        _state(group, rail.x + rail.width - PAD - 5, middle, look(state))


def _curve(root: ET.Element, curve: Curve, drawing: Drawing) -> None:
    parts: list[str] = []
    for (x0, y0), (x1, y1) in across(curve.points):
        bend = (x1 - x0) / 2
        parts.append(f"{'L' if parts else 'M'}{_n(x0)} {_n(y0)}")
        parts.append(f"C{_n(x0 + bend)} {_n(y0)} {_n(x1 - bend)} {_n(y1)} {_n(x1)} {_n(y1)}")
    classes = _way_classes(curve, drawing)
    _draw(root, "path", f"way{classes}", d="".join(parts))
    (x, y), back = curve.points[-1], curve.points[-1][0] < curve.points[0][0]
    tip = 8 if back else -8
    _draw(root, "path", f"head{classes}", d=f"M{_n(x)} {_n(y)}l{tip} -4.5v9z")


def _way_classes(curve: Curve, drawing: Drawing) -> str:
    target = drawing.states.get(curve.edge.target) or drawing.states.get(drawing.home[curve.edge.target])
    classes = " faint" if curve.edge.faint or look(target) == "absent" else ""
    return classes + (" down" if look(target) == "down" else "")


def _edge_label(root: ET.Element, curve: Curve) -> None:
    if not curve.edge.label:
        return
    (x0, y0), (x1, y1) = across(curve.points)[-1]
    words = shortened(curve.edge.label)
    width = text_width(words, DETAIL)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    _draw(root, "rect", "behind", x=x - width / 2 - 4, y=y - 8, width=width + 8, height=16, rx=4)
    _text(root, "edge-label", x, y + 4, words, anchor="middle")


def _box(root: ET.Element, place: PlacedBox) -> None:
    box, node = place.box, place.box.node
    state = look(box.state)
    group = _group(root, node.id, node.label, node.details, box.state)
    size = {"width": place.width, "height": box.height, "rx": 9}
    _draw(group, "rect", "shade", x=place.x + 1, y=place.y + 2.5, **size)
    _draw(group, "rect", f"box {state}".strip(), x=place.x, y=place.y, **size)
    inner = ET.SubElement(group, "g", {"class": "gone"}) if state == "absent" else group
    _sign(inner, node.kind, place.x + PAD - 3, place.y + HEAD / 2 - 11, 22)
    _text(inner, "label", place.x + PAD + 26, place.y + HEAD / 2 + 5, shortened(node.label))
    if box.state is not None:
        _state(group, place.x + place.width - PAD - 3, place.y + HEAD / 2, state)
    y = place.y + HEAD
    for detail in node.details:
        _text(inner, "detail", place.x + PAD, y + LINE / 2 + 2, shortened(detail))
        y += LINE
    for row in box.rows:
        _row(group, row, place.x + 6, y + 2, place.width - 12)
        y += ROW


def _row(group: ET.Element, row: Row, x: float, y: float, width: float) -> None:
    inner = _group(group, row.node.id, row.node.label, row.node.details, row.state)
    if look(row.state) == "absent":
        inner.set("class", "gone")
    _draw(inner, "rect", "row", x=x, y=y, width=width, height=ROW - 4, rx=6)
    _sign(inner, row.node.kind, x + 4, y + 2, ROW - 8, tile=False)
    _text(inner, "row-text", x + 27, y + (ROW - 4) / 2 + 4, row_text(row.node))
    if row.state is not None:
        _state(inner, x + width - 9, y + (ROW - 4) / 2, look(row.state))


def _group(
    root: ET.Element, identity: str, label: str, details: Sequence[str], state: Status | None
) -> ET.Element:
    """A group with all there is to know as its tooltip, and what it shows as data for scripts and tests."""
    group = ET.SubElement(root, "g", {"data-id": printable(identity)})
    lines = [label, *details]
    if state is not None:
        group.set("data-state", look(state))
        lines.append(f"{_WORDS[look(state)]}{': ' + state.detail if state.detail else ''}")
    ET.SubElement(group, "title").text = printable("\n".join(lines))
    return group


def _state(parent: ET.Element, x: float, y: float, state: str) -> None:
    """A dot whose form tells the state too, for those who do not tell the colours apart."""
    if state == "down":
        _draw(parent, "path", "s-down", d=f"M{_n(x - 3.5)} {_n(y - 3.5)}l7 7m0 -7l-7 7", stroke_width=2.4)
    elif state == "degraded":
        _draw(parent, "path", "s-degraded", d=f"M{_n(x)} {_n(y - 4)}l4.5 8h-9z", stroke_width=1)
    elif state in {"unknown", "absent"}:
        _draw(parent, "circle", f"s-{state}", cx=x, cy=y, r=3.5, fill_opacity=0, stroke_width=1.6)
    else:
        _draw(parent, "circle", "s-up", cx=x, cy=y, r=4, stroke_width=0)


def _sign(parent: ET.Element, kind: str, x: float, y: float, size: float, *, tile: bool = True) -> None:
    color, strokes = SIGNS.get(kind, OTHER)
    if tile:
        _draw(parent, "rect", f"tile {color}", x=x, y=y, width=size, height=size, rx=6)
    inset = 3.0 if tile else 1.0
    scale = (size - 2 * inset) / 16
    _draw(
        parent,
        "path",
        f"sign {color}",
        d=strokes,
        transform=f"translate({_n(x + inset)} {_n(y + inset)}) scale({_n(scale)})",
    )


def _text(parent: ET.Element, kind: str, x: float, y: float, words: str, *, anchor: str = "") -> None:
    attributes = {"class": kind, "x": _n(x), "y": _n(y)} | ({"text-anchor": anchor} if anchor else {})
    ET.SubElement(parent, "text", attributes).text = words


def _draw(parent: ET.Element, tag: str, kind: str, **attributes: float | str) -> None:
    written = {
        name.replace("_", "-"): value if isinstance(value, str) else _n(value)
        for name, value in attributes.items()
    }
    ET.SubElement(parent, tag, {"class": kind, **written})


def _n(value: float) -> str:
    """A coordinate, to a hundredth."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
