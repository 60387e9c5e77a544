"""Colours and signs of the SVG. It follows the reader's light or dark theme; its classes are named here alone."""

from __future__ import annotations

from typing import Final

SANS: Final = "Inter,'Segoe UI',system-ui,-apple-system,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif"
MONO: Final = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
HUES: Final = 6

_LIGHT: Final = {
    "page": "#ffffff",
    "edge": "#d8dee7",
    "ink": "#18212d",
    "soft": "#5c6878",
    "box": "#ffffff",
    "line": "#c9d2de",
    "row": "#f2f5f9",
    "shade": "#18212d",
    "way": "#8496ad",
    "up": "#16915a",
    "degraded": "#c77d00",
    "down": "#d1343b",
    "unknown": "#8b95a3",
    "entry": "#64748b",
    "balance": "#4f5bd5",
    "name": "#0e8a8a",
    "place": "#3b6ea8",
    "hue0": "#0f8f83",
    "hue1": "#7a56d0",
    "hue2": "#c0620f",
    "hue3": "#b93a77",
    "hue4": "#2a68c4",
    "hue5": "#5f7d12",
}
_DARK: Final = {
    "page": "#0d1117",
    "edge": "#2a313b",
    "ink": "#e8edf4",
    "soft": "#9aa6b5",
    "box": "#161c24",
    "line": "#343d49",
    "row": "#202833",
    "shade": "#000000",
    "way": "#6d7f97",
    "up": "#3fbf7f",
    "degraded": "#e6ab3c",
    "down": "#f2625d",
    "unknown": "#7c8796",
    "entry": "#94a3b8",
    "balance": "#8b95ff",
    "name": "#35c2b8",
    "place": "#71a7e6",
    "hue0": "#35c4b5",
    "hue1": "#a98cf5",
    "hue2": "#f0974a",
    "hue3": "#ee77ac",
    "hue4": "#69a4f5",
    "hue5": "#a5c94a",
}

# A kind's sign on a grid of 16, drawn as strokes, and the colour that it takes. A new kind is a line here.
SIGNS: Final = {
    "client": ("entry", "M3.2 3.5h9.6v6.6h-9.6z M1.4 12.8h13.2"),
    "vip": ("balance", "M8 2.2a5.8 5.8 0 1 0 .01 0z M8 6.4a1.6 1.6 0 1 0 .01 0z"),
    "load_balancer": ("balance", "M8 2.2a5.8 5.8 0 1 0 .01 0z M8 6.4a1.6 1.6 0 1 0 .01 0z"),
    "haproxy": ("balance", "M1.8 8h4.4 M6.2 8c3.4 0 3-4.6 7.6-4.6 M6.2 8h7.6 M6.2 8c3.4 0 3 4.6 7.6 4.6"),
    "frontend": ("balance", "M2 8h11 M9.4 4.2l3.8 3.8l-3.8 3.8"),
    "backend": ("balance", "M3 4.2h10 M3 8h10 M3 11.8h10"),
    "machine": ("place", "M2.6 2.8h10.8v4.2h-10.8z M2.6 9h10.8v4.2h-10.8z M5.2 4.9h.01 M5.2 11.1h.01"),
    "mirror": (
        "place",
        "M3 4.6a5 2.2 0 1 0 10 0a5 2.2 0 1 0-10 0z M3 4.6v6.8a5 2.2 0 0 0 10 0v-6.8 M3 8a5 2.2 0 0 0 10 0",
    ),
    "server": ("balance", "M1.8 8h7.6 M6 4.4l3.6 3.6l-3.6 3.6 M13.4 3v10"),
    "service": ("place", "M3 4.4l3.6 3.6l-3.6 3.6 M8.4 12h4.8"),
    "zone": (
        "name",
        "M8 2.2a5.8 5.8 0 1 0 .01 0z M2.4 8h11.2 M8 2.2c3.4 3.4 3.4 8.2 0 11.6c-3.4-3.4-3.4-8.2 0-11.6",
    ),
    "rrset": (
        "name",
        "M8 2.2a5.8 5.8 0 1 0 .01 0z M2.4 8h11.2 M8 2.2c3.4 3.4 3.4 8.2 0 11.6c-3.4-3.4-3.4-8.2 0-11.6",
    ),
}
OTHER: Final = ("entry", "M8 2.6l5.4 5.4l-5.4 5.4l-5.4-5.4z")

STATES: Final = ("up", "degraded", "down", "unknown", "absent")


def stylesheet() -> str:
    """Plain CSS without variables: not every SVG reader knows them."""
    dark = "\n".join(f"  {rule}" for rule in _rules(_DARK))
    return "\n".join([*_FIXED, *_rules(_LIGHT), "@media (prefers-color-scheme: dark) {", dark, "}"])


_FIXED: Final = (
    f"text {{ font-family: {SANS}; }}",
    ".title { font-size: 21px; font-weight: 700; }",
    ".subtitle, .key { font-size: 12px; }",
    ".label { font-size: 14px; font-weight: 600; }",
    ".row-text { font-size: 12px; }",
    f".detail {{ font-family: {MONO}; font-size: 11px; }}",
    ".edge-label { font-size: 11px; }",
    ".rail-name { font-size: 13px; font-weight: 600; }",
    ".way, .sign { fill: none; stroke-linecap: round; stroke-linejoin: round; }",
    ".way { stroke-width: 1.8; }",
    ".sign { stroke-width: 1.5; }",
    ".faint { stroke-dasharray: 5 5; opacity: .75; }",
    ".box { stroke-width: 1.2; }",
    ".box.absent { stroke-dasharray: 5 4; }",
    ".gone { opacity: .55; }",
    ".shade { opacity: .06; }",
    ".tile { opacity: .13; }",
    ".rail { fill-opacity: .1; stroke-width: 1.2; stroke-opacity: .6; }",
    ".trunk { fill: none; stroke-width: 2; stroke-opacity: .75; stroke-linecap: round; stroke-linejoin: round; }",
)


def _rules(color: dict[str, str]) -> list[str]:
    rules = [
        f".page {{ fill: {color['page']}; stroke: {color['edge']}; }}",
        f".title, .label, .rail-name, .row-text {{ fill: {color['ink']}; }}",
        f".subtitle, .key, .detail, .edge-label {{ fill: {color['soft']}; }}",
        f".box {{ fill: {color['box']}; stroke: {color['line']}; }}",
        f".row {{ fill: {color['row']}; }}",
        f".shade {{ fill: {color['shade']}; }}",
        f".way {{ stroke: {color['way']}; }}",
        f".head {{ fill: {color['way']}; }}",
        f".behind {{ fill: {color['page']}; }}",
    ]
    rules += [
        f".s-{state} {{ fill: {color[state]}; stroke: {color[state]}; }}"
        for state in ("up", "degraded", "down", "unknown")
    ]
    rules.append(f".s-absent {{ fill: none; stroke: {color['unknown']}; }}")
    rules += [f".box.{state} {{ stroke: {color[state]}; }}" for state in ("degraded", "down")]
    rules += [f".way.down {{ stroke: {color['down']}; }}", f".head.down {{ fill: {color['down']}; }}"]
    for kind in ("entry", "balance", "name", "place"):
        rules.append(f".tile.{kind} {{ fill: {color[kind]}; }} .sign.{kind} {{ stroke: {color[kind]}; }}")
    for hue in range(HUES):
        shade = color[f"hue{hue}"]
        rules.append(
            f".trunk.h{hue} {{ stroke: {shade}; }} .rail.h{hue} {{ fill: {shade}; stroke: {shade}; }} "
            f".dot.h{hue} {{ fill: {shade}; }}"
        )
    return rules
