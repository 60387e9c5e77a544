from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from lbkit.base.host import Host
from tests.machine.guest.world import FakeGuest, an_identity

MakeGuest = Callable[..., FakeGuest]


@pytest.fixture
def topology(topology_name: str) -> str:
    """Just the name: no driver made these machines, nor would find them."""
    return topology_name


@pytest.fixture
def make_guest(host: Host, topology_name: str) -> Iterator[MakeGuest]:
    """Guests without a VM that run, and know who they are."""
    with ExitStack() as stack:

        def make(member: str = "m", *, ports: int = 1) -> FakeGuest:
            guest = stack.enter_context(
                closing(FakeGuest(host.run_dir / f"guest-{member}", host.run_dir, ports=ports))
            )
            guest.tell(an_identity(topology_name, member))
            return guest.start()

        yield make


@pytest.fixture
def guest(make_guest: MakeGuest) -> FakeGuest:
    return make_guest()
