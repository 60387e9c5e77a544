"""What a person is told of what a sync would do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lbkit.mirror.keeper.planned import told
from lbkit.mirror.sync.changes import changes_of
from lbkit.mirror.sync.itemized import Item
from lbkit.mirror.tree.manifest import Entry

PATHS = st.sampled_from([b"a", b"a b", b"a-b", b"b", b"b\n", b"c", b"\xff", b"d"])
TREES = st.dictionaries(PATHS, st.integers(0, 9))


@given(TREES, TREES, st.integers(0, 9))
def test_it_counts_what_differs_and_names_the_first(
    old: dict[bytes, int], new: dict[bytes, int], most: int
) -> None:
    entries = sorted(Entry(path, "f", 0o644, 0, size, "0" * 64).line for path, size in old.items())
    items = [Item("delete", "f", path) for path in old.keys() - new.keys()]
    items += [Item("add", "f", path, new[path]) for path in new.keys() - old.keys()]
    items += [
        Item("change", "f", path, new[path]) for path in new.keys() & old.keys() if old[path] != new[path]
    ]
    changes = changes_of(items, lambda: entries)
    data = told(changes, lambda: entries, ["too much"], most)
    same = {path for path in new.keys() & old.keys() if old[path] == new[path]}
    assert data["relinked"] == {"files": len(same), "size": sum(new[path] for path in same)}
    assert data["after"] == {"files": len(new), "size": sum(new.values())}
    for kind, paths in {
        "added": new.keys() - old.keys(),
        "changed": (new.keys() & old.keys()) - same,
        "deleted": old.keys() - new.keys(),
    }.items():
        assert data[kind]["files"] == len(paths)
        assert len(data["first"][kind]) == min(most, len(paths))
        assert all(path.isprintable() for path in data["first"][kind])
    assert data["objections"] == ["too much"]
