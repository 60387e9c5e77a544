"""The pictures: sound, whole, the same every time, and never broken by a name."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbkit import operate
from lbkit.base.errors import Failure
from lbkit.engine.resource import Key
from lbkit.engine.view import Edge, Health, Node, Picture, Status
from lbkit.faces.graph.boxes import sorted_out
from lbkit.faces.graph.heights import centres
from lbkit.faces.graph.layers import in_columns
from lbkit.faces.graph.mermaid import mermaid
from lbkit.faces.graph.placing import placed
from lbkit.faces.graph.svg import svg
from tests.faces.conftest import Lbkit
from tests.faces.pictures import web_picture, web_status

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '"]; click n0 "javascript:x" %% </svg><script>alert(1)</script>&amp; #quot; `x` \x00\x1b[31m \ufffe'

names = st.sampled_from([f"box {letter}" for letter in "abcdefgh"])
nodes = st.builds(
    Node,
    id=names,
    label=st.text(max_size=60),
    kind=st.sampled_from(["machine", "vip", "network", "unheard-of"]),
    details=st.lists(st.text(max_size=60), max_size=3).map(tuple),
    layer=st.integers(0, 6),
    inside=st.none() | names,
)
edges = st.builds(Edge, names, names, st.text(max_size=20), st.booleans())
pictures = st.builds(Picture, st.lists(nodes, max_size=8).map(tuple), st.lists(edges, max_size=16).map(tuple))
states = st.none() | st.lists(
    st.builds(
        Status,
        names.map(lambda name: Key(*name.split(" "))),
        st.booleans(),
        st.sampled_from(Health),
        st.text(max_size=20),
    ),
    max_size=8,
)


def shown(document: str) -> dict[str, ET.Element]:
    return {
        group.get("data-id", ""): group
        for group in ET.fromstring(document).iter(f"{SVG}g")
        if group.get("data-id")
    }


def test_every_node_is_drawn_with_its_label_its_details_and_its_state() -> None:
    groups = shown(svg("web", web_picture(), web_status()))
    assert set(groups) == {node.id for node in web_picture().nodes}
    for node in web_picture().nodes:
        words = " ".join(groups[node.id].itertext())
        assert node.label in words
        assert all(detail in words for detail in node.details)
    assert groups["service web-2/app"].get("data-state") == "down"
    assert groups["machine web-3"].get("data-state") == "absent"
    assert groups["machine lb-1"].get("data-state") == "up"
    assert groups["clients"].get("data-state") is None


def test_the_legend_counts_what_is_drawn() -> None:
    words = [text.text for text in ET.fromstring(svg("web", web_picture(), web_status())).iter(f"{SVG}text")]
    assert {"14 up", "2 degraded", "1 down", "2 not there"} <= set(words)


def test_without_state_nothing_is_said_of_health() -> None:
    assert "data-state" not in svg("web", web_picture(), None)
    assert "classDef" not in mermaid(web_picture(), None)


def test_traffic_goes_from_left_to_right_and_its_edges_are_all_there() -> None:
    drawing = sorted_out(web_picture(), None)
    plan = placed(web_picture(), drawing)
    x = {place.box.node.id: place.x for place in plan.boxes}
    assert (
        x["clients"]
        < x["load_balancer shop"]
        < x["machine lb-1"]
        < x["backend shop/web"]
        < x["machine web-1"]
    )
    assert x["machine lb-1"] == x["machine lb-2"]
    networks = {node.id for node in web_picture().nodes if node.kind == "network"}
    wanted = [edge for edge in web_picture().edges if not {edge.source, edge.target} & networks]
    assert [curve.edge for curve in plan.curves] == wanted
    assert {rail.node.id: len(rail.stubs) for rail in plan.rails} == {"network front": 3, "network back": 5}


def test_a_hostile_label_is_text_and_nothing_else() -> None:
    picture = Picture(
        (Node(HOSTILE, HOSTILE, HOSTILE, (HOSTILE,)), Node("b", "b", "vip")), (Edge(HOSTILE, "b", HOSTILE),)
    )
    rows = [Status(Key("b", HOSTILE), True, Health.UP, HOSTILE)]
    root = ET.fromstring(svg(HOSTILE, picture, rows))
    assert {element.tag for element in root.iter()} <= {
        f"{SVG}{tag}" for tag in ("svg", "title", "style", "g", "rect", "path", "circle", "text")
    }
    text = mermaid(picture, rows)
    for line in text.splitlines()[1:]:
        label = line.partition('"')[2].rpartition('"')[0].replace("<br/>", "")
        assert not set(label) & set('"`<>[]{}%&')
    assert text.count("\n") == 4


@settings(max_examples=150, deadline=None)
@given(pictures, states)
def test_any_picture_can_be_drawn(picture: Picture, state: list[Status] | None) -> None:
    document = svg("any", picture, state)
    assert document == svg("any", picture, state)
    kept = {node.id for node in picture.nodes}
    assert set(shown(document)) == kept
    assert mermaid(picture, state).startswith("flowchart LR\n")


@settings(max_examples=150, deadline=None)
@given(pictures)
def test_boxes_never_overlap_and_stay_on_the_page(picture: Picture) -> None:
    plan = placed(picture, sorted_out(picture, None))
    for place in plan.boxes:
        assert place.x >= 0
        assert place.x + place.width <= plan.width
        assert place.y >= 0
        assert place.bottom <= plan.height
    for index, one in enumerate(plan.boxes):
        for other in plan.boxes[index + 1 :]:
            beside = one.x + one.width < other.x or other.x + other.width < one.x
            below = one.bottom < other.y or other.bottom < one.y
            assert beside or below


links = st.lists(st.tuples(names, names), max_size=20)


@settings(max_examples=150, deadline=None)
@given(links)
def test_columns_hold_every_name_once_and_every_link_passes_each_column_between(
    pairs: list[tuple[str, str]],
) -> None:
    known = sorted({name for pair in pairs for name in pair})
    columns = in_columns(known, pairs, {})
    column = {name: index for index, order in enumerate(columns.order) for name in order}
    assert sorted(name for name in column if "\0" not in name) == known
    assert set(columns.routes) == {pair for pair in pairs if pair[0] != pair[1]}
    for stops in columns.routes.values():
        steps = {column[later] - column[sooner] for sooner, later in itertools.pairwise(stops)}
        assert steps in ({1}, {-1})
    middles = centres(columns, dict.fromkeys(column, 10.0), dict.fromkeys(column, 2.0))
    for order in columns.order:
        for above, below in itertools.pairwise(order):
            assert middles[below] - middles[above] >= 12 - 1e-6


def test_crossings_that_can_be_avoided_are() -> None:
    columns = in_columns(["a", "b", "x", "y"], [("a", "y"), ("b", "x")], {})
    (left, right) = columns.order
    assert [left.index("a"), left.index("b")] == [right.index("y"), right.index("x")]


@pytest.mark.parametrize(("suffix", "start"), [(".svg", "<svg"), (".mmd", "flowchart LR")])
def test_the_form_is_as_the_file_is_named(lbkit: Lbkit, tmp_path: object, suffix: str, start: str) -> None:
    path = f"{tmp_path}/picture{suffix}"
    told = lbkit("graph", "-o", path)
    assert told.code == 0
    assert not told.out
    with open(path, encoding="utf-8") as file:
        assert file.read().startswith(start)


def test_where_the_state_cannot_be_read_the_declaration_is_drawn(
    lbkit: Lbkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object) -> None:
        raise Failure("the namespaces were to be read", found="no permission")

    monkeypatch.setattr(operate, "status", refuse)
    told = lbkit("graph")
    assert told.code == 0
    assert "the namespaces were to be read" in told.err
    assert "data-state" not in told.out
    assert shown(told.out)
