"""A new noun is one folder and one line of registration; everything else follows from its Room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import lbkit
from lbkit.base.host import Host
from lbkit.base.problems import InvalidDocument
from lbkit.operate import doctor, explain
from lbkit.topology import register
from lbkit.topology.load import load_text
from lbkit.topology.schema import json_schema

ROOM = '''
"""Notes that lie in the host's folder: a noun that lbkit has not heard of."""

from __future__ import annotations

from pydantic import Field, RootModel

from lbkit.base.model import Model
from lbkit.base.names import Label, Printable
from lbkit.engine.resource import Actual, Desired, Key
from lbkit.engine.room import Room
from lbkit.engine.view import Check, Finding, Health, Node, Picture, Status


class Note(Model):
    """A line of text."""

    text: Printable
    about: Label | None = Field(None, description="A group of machines")


class Notes(RootModel[dict[Label, Note]]):
    root: dict[Label, Note] = Field(default_factory=dict)


class NoteRoom(Room[Notes]):
    name = "note"
    section = "notes"
    kinds = frozenset({"note"})
    model = Notes

    def resolve(self, section, draft):
        for name, note in section.root.items():
            if note.about and draft.book.endpoints(f"machines.{note.about}") is None:
                draft.problems.add(("notes", name, "about"), "a group of machines", found=note.about)
        return section

    def desired(self, scope, host):
        for name, note in scope.of("note", Notes).root.items():
            yield Desired(Key("note", name), {"text": note.text})

    def observe(self, scope, host):
        for path in sorted(host.folder(scope.name).glob("*.note")):
            yield Actual(Key("note", path.stem), {"text": path.read_text()}, owner=scope.name)

    def apply(self, changes, scope, host, done):
        for change in changes:
            path = host.folder(scope.name) / f"{change.key.name}.note"
            path.unlink() if change.want is None else path.write_text(change.want.state["text"])
            done(change, f"wrote {path.name}")

    def status(self, scope, host):
        standing = {have.key for have in self.observe(scope, host)}
        for want in self.desired(scope, host):
            yield Status(want.key, want.key in standing, Health.UP)

    def picture(self, scope):
        return Picture(tuple(Node(f"note {name}", name, "note") for name in scope.of("note", Notes).root))

    def explain(self, scope, host, path):
        known = scope.of("note", Notes).root
        return [Finding(True, known[path[0]].text)] if path[0] in known else None

    def explainable(self, scope):
        return scope.of("note", Notes).root

    def doctor(self, host):
        yield Check("paper", True, "enough")


ROOM = NoteRoom()
'''

TEXT = """\
lbkit: 1
name: t
networks: {front: {cidr: 10.0.0.0/24}}
machines: {web: {networks: front, count: 0}}
notes:
  first: {text: hello, about: web}
"""


@pytest.fixture
def note_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "note").mkdir()
    (tmp_path / "note" / "__init__.py").touch()
    (tmp_path / "note" / "room.py").write_text(ROOM, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(register, "ROOMS", (*register.ROOMS, "note.room"))
    register.rooms.cache_clear()
    yield
    monkeypatch.undo()
    register.rooms.cache_clear()


@pytest.mark.usefixtures("note_room")
def test_its_section_is_in_the_language_and_in_the_schema() -> None:
    with pytest.raises(InvalidDocument) as caught:
        load_text(TEXT.replace("about: web", "about: wbe, txet: x"), "t.yml", Path())
    assert "t.yml:6: notes.first.txet: a key that means something here" in str(caught.value)
    assert "did you mean 'text'?" in str(caught.value)
    with pytest.raises(InvalidDocument, match=r"t.yml:6: notes.first.about: a group of machines"):
        load_text(TEXT.replace("about: web", "about: wbe"), "t.yml", Path())
    schema = json_schema()
    assert schema["properties"]["notes"]["title"] == "Notes"
    assert schema["$defs"]["note.Note"]["properties"]["about"]["description"] == "A group of machines"


@pytest.mark.sandbox
@pytest.mark.usefixtures("note_room")
def test_its_things_are_planned_made_shown_and_removed(host: Host) -> None:
    scope = load_text(TEXT, "t.yml", Path())
    plan = lbkit.plan(scope, host)
    assert "create note first" in {str(change) for change in plan.changes}
    lbkit.apply(scope, host, promised=plan)
    assert not lbkit.plan(scope, host)
    assert ("note first", True) in {(str(row.key), row.present) for row in lbkit.status(scope, host)}
    assert "note first" in {node.id for node in lbkit.picture(scope).nodes}
    assert [finding.what for finding in explain(scope, "first", host)] == ["hello"]
    assert "paper" in {check.name for check in doctor(host)}
    lbkit.destroy(scope, host)
    assert not [have for have in lbkit.observe(scope, host) if have.owner == scope.name]


def test_without_its_line_it_is_unknown() -> None:
    with pytest.raises(InvalidDocument, match="notes: a section that lbkit knows"):
        load_text(TEXT, "t.yml", Path())


def test_rooms_look_up_only_what_stands_above_them() -> None:
    order = [room.name for room in register.rooms()]
    assert order.index("network") < order.index("machine") < order.index("haproxy") < order.index("dns")
