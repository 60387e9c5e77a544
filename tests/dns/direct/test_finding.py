"""Whose zone a name is in, asked of a model of a server: zones that it serves, delegations and aliases in them."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbkit.base.problems import InvalidDocument
from lbkit.dns.direct.asked import whole_places
from lbkit.dns.direct.finding import NoZoneFound, zone_of_name

LABELS = st.sampled_from(["a", "b", "x\\.y", "*", "_tcp"])
NAMES = st.lists(LABELS, min_size=1, max_size=5).map(".".join)


def above(name: str) -> list[str]:
    """The name, and each above it."""
    found = dns.name.from_text(name + ".")
    every = []
    while len(found) > 1:
        every.append(found.to_text(omit_final_dot=True))
        found = found.parent()
    return every


class Model:
    """`zones` are served; `cuts` are delegated by them to others; `aliases` have a CNAME to elsewhere."""

    def __init__(
        self,
        zones: AbstractSet[str],
        cuts: AbstractSet[str] = frozenset(),
        aliases: AbstractSet[str] = frozenset(),
    ) -> None:
        self.zones, self.cuts, self.aliases = zones, cuts - zones, aliases - zones - cuts
        self.asked = 0

    def zone_of(self, name: str) -> str | None:
        return next((one for one in above(name) if one in self.zones), None)

    def cut_of(self, name: str) -> str | None:
        """The highest delegation between the zone that is served and the name."""
        zone = self.zone_of(name)
        between = [one for one in above(name) if zone is not None and len(above(one)) > len(above(zone))]
        return next((one for one in reversed(between) if one in self.cuts), None)

    def __call__(self, name: str) -> dns.message.Message:
        self.asked += 1
        assert self.asked < 10
        message = dns.message.make_response(dns.message.make_query(name + ".", "SOA"))
        zone, cut = self.zone_of(name), self.cut_of(name)
        if zone is None:
            return message
        if cut is not None:
            message.authority.append(dns.rrset.from_text(cut + ".", 60, "IN", "NS", "ns.other."))
            return message
        message.flags |= dns.flags.AA
        alias = next((one for one in above(name) if one in self.aliases), None)
        if alias == name:
            message.answer.append(dns.rrset.from_text(name + ".", 60, "IN", "CNAME", "elsewhere."))
            message.authority.append(soa("elsewhere"))
        elif zone == name:
            message.answer.append(soa(zone))
        else:
            message.set_rcode(dns.rcode.NXDOMAIN)
            message.authority.append(soa(zone.upper()))
        return message


def soa(zone: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(zone + ".", 60, "IN", "SOA", "ns. host. 1 2 3 4 5")


@given(st.sets(NAMES), st.sets(NAMES), st.sets(NAMES), NAMES, st.sampled_from(["A", "NS", "DS"]))
def test_the_zone_is_the_nearest_that_is_served_and_not_delegated(
    served: set[str], cuts: set[str], aliases: set[str], name: str, kind: str
) -> None:
    model = Model(served, cuts, aliases)
    at = name
    if kind == "DS" or (kind == "NS" and model.cut_of(name) == name):
        at = next(iter(above(name)[1:]), "")
    wanted = model.zone_of(at) if at and model.cut_of(at) is None else None
    if wanted is None:
        with pytest.raises(NoZoneFound):
            zone_of_name(name, kind, model, "the model")
    else:
        assert zone_of_name(name, kind, model, "the model") == wanted


def test_words_for_what_is_elsewhere() -> None:
    model = Model({"a.test"}, {"b.a.test"})
    for name, words in {"x.b.a.test": "it delegates b.a.test", "c.test": "not authoritative"}.items():
        with pytest.raises(NoZoneFound, match=words):
            zone_of_name(name, "A", model, "the model")


def silent(name: str) -> dns.message.Message:
    """Authoritative, and with nothing to say."""
    message = dns.message.make_response(dns.message.make_query(name + ".", "SOA"))
    message.flags |= dns.flags.AA
    return message


def root(name: str) -> dns.message.Message:
    message = silent(name)
    message.authority.append(soa(""))
    return message


@pytest.mark.parametrize("server", [silent, root])
def test_a_search_ends(server: Callable[[str], dns.message.Message]) -> None:
    with pytest.raises(NoZoneFound, match="no SOA"):
        zone_of_name("a.b.c", "A", server, "the model")


def test_names_are_whole_where_no_zone_is_said() -> None:
    records = [
        {"name": name, "type": "A"} for name in ("www", "@", "www.a.test", "b\u00fccher.a.TEST.", "a\\.")
    ]
    with pytest.raises(InvalidDocument) as caught:
        whole_places(records)
    assert [problem.path for problem in caught.value.problems] == [
        ("records", index, "name") for index in (0, 1, 2, 4)
    ]
    assert whole_places([records[3]]) == (("xn--bcher-kva.a.test", "A"),)
    with pytest.raises(InvalidDocument, match="no record"):
        whole_places([])
