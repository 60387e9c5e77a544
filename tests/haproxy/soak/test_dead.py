"""A server that is listed and dead gets no request: not when it comes, not when it moves, not at a reload or a start."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from lbkit.base.errors import Failure
from tests.haproxy.soak import apps, oracle
from tests.haproxy.soak.load import ask, load
from tests.haproxy.soak.town import Town, server

# one after the other: side by side they would have each other wait
pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("soak")]

DEAD = {"sick": apps.SICK, "closed": apps.CLOSED, "silent": apps.SILENT}


@pytest.mark.parametrize("kind", DEAD)
def test_it_gets_no_request_whatever_changes(town: Town, kind: str) -> None:
    """Each apply notes that it is not up; the others serve."""
    dead = DEAD[kind]
    web = town.shop["backends"]["web"]
    web["up_timeout"] = "500ms"
    with load(town.folder, kept=4, fresh=4) as found:
        web["servers"].append(server("comes", dead[0]))
        assert "web/comes" in town.apply()[0]
        web["servers"][0]["port"] = dead[1]  # it moves
        assert "web/s0" in town.apply()[0]
        web["servers"].append(server("reloaded", dead[2]))
        web["servers"][1]["port"] = dead[3]
        web["retries"] = 2
        town.apply()
        oracle.as_declared(town)
        web["servers"][0]["port"] = apps.GOOD["web"][0]
        web["servers"][1]["port"] = apps.GOOD["web"][1]
        town.apply()
        oracle.as_declared(town)
        web["retries"] = 3
        town.apply()
        oracle.as_declared(town)
    town.none_lost(found)
    oracle.serves_as_declared(town)
    town.kill()
    with asking() as wrong:
        notes = town.apply()
        assert "comes" in notes[0]
        oracle.as_declared(town)
    assert wrong == []
    oracle.serves_as_declared(town)


@contextmanager
def asking() -> Iterator[list[str]]:
    """Requests all the while: that nobody listens is no news here, a wrong answer is."""
    wrong: list[str] = []
    over = threading.Event()

    def one() -> None:
        while not over.is_set():
            try:
                ask("/")
            except AssertionError as error:
                wrong.append(str(error))
            except (OSError, http.client.HTTPException):
                over.wait(0.001)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("kind", DEAD)
def test_the_only_server_of_a_backend_does_not_move_to_a_dead_place(town: Town, kind: str) -> None:
    town.shop["backends"]["api"] |= {"servers": [server("only", apps.GOOD["api"][0])]}
    town.apply()
    with load(town.folder, kept=4, fresh=4) as found:
        town.shop["backends"]["api"]["servers"][0]["port"] = DEAD[kind][0]
        with pytest.raises(Failure, match="at its new address"):
            town.apply()
        assert ask("/api/") == str(apps.GOOD["api"][0])
        town.shop["backends"]["api"]["servers"][0]["port"] = apps.GOOD["api"][1]
        town.apply()
        assert ask("/api/") == str(apps.GOOD["api"][1])
    town.none_lost(found)


def test_others_that_are_dead_take_no_server_s_place(town: Town) -> None:
    """All that serve are to go, and who comes instead is dead: who serves stays."""
    api = town.shop["backends"]["api"]
    api["up_timeout"] = "1s"
    before = list(api["servers"])
    with load(town.folder, kept=4, fresh=4) as found:
        api["servers"] = [server(f"new{index}", port) for index, port in enumerate(apps.SICK[:3])]
        with suppress(Failure):
            town.apply()
        for _ in range(8):
            assert int(ask("/api/")) in apps.GOOD["api"]
        api["servers"] = [server("back", apps.GOOD["api"][5]), *before]
        town.apply()
        oracle.as_declared(town)
    town.none_lost(found)
    oracle.serves_as_declared(town)
