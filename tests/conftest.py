"""What every test may ask for: a host of its own inside the sandbox, and a topology's name of its own."""

from __future__ import annotations

import itertools
import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from lbkit.base import sandbox, sandbox_init, syscalls
from lbkit.base.host import NETNS_DIR, Host
from tests import images

CI = os.environ.get("CI") == "true"
os.environ["LBKIT_IMAGES"] = str(images.folder())  # also for commands that tests run

# No test asserts a time: a busy machine is no failure. CI tries the same examples each time: what it refuses is of the
# change that it looks at. Elsewhere each run tries others.
settings.register_profile(
    "lbkit", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=CI
)
settings.load_profile("lbkit")
_TOPOLOGIES = itertools.count()
WORDS = "runs in a sandbox only: `make test ARGS={path}`, or `lbkit sandbox -- pytest {path}`"


def pytest_configure(config: pytest.Config) -> None:
    """Workers of pytest-xdist share the sandbox, but each is a host of its own: a network, and /run/netns."""
    for number, action in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if (
            signal.getsignal(number) is signal.SIG_IGN
        ):  # a shell starts its background jobs so, and children inherit it
            signal.signal(number, action)
    if sandbox.inside() and hasattr(config, "workerinput"):
        syscalls.unshare(syscalls.CLONE_NEWNET | syscalls.CLONE_NEWNS)
        syscalls.mount("none", "/", "none", syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.mount("tmpfs", str(NETNS_DIR), "tmpfs", 0, "mode=755")
        sandbox_init.raise_loopback()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Groups hold: with a pytest that xdist cannot tell of them all that is heavy would run at once, and fail by chance."""
    if getattr(session.config.option, "loadgroup", False):
        lost = [
            item.nodeid
            for item in session.items
            if item.get_closest_marker("xdist_group") and "@" not in item.nodeid.rpartition("]")[2]
        ]
        if lost:
            raise pytest.UsageError(f"pytest-xdist put {lost[0]} in no group: take another version of either")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("sandbox") and not sandbox.inside():
        pytest.fail(WORDS.format(path=item.nodeid), pytrace=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """In CI nothing is skipped: a skip is a failure there."""
    outcome = yield
    report = outcome.get_result()
    if CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and nothing is skipped in CI: {report.longrepr}"


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()
    if CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped, and nothing is skipped in CI: {report.longrepr}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests measured, which nobody asserts (`record_property`): it is printed, whichever worker ran them."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid}: {name}: {value}")


@pytest.fixture
def topology_name() -> str:
    """A name that no other test has; short, so that `NAME.network` fits a link's name (15 bytes).

    Workers share their processes: what one stops, by its marks, must never be another's. So it is counted, not drawn.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return f"t{int(worker):x}{next(_TOPOLOGIES):03x}"


@pytest.fixture
def netns() -> Iterator[None]:
    """An empty network for the test, loopback up, and an empty /run/netns: a host that nobody used before.

    For the thread that runs the test, and for all threads and processes that it starts.
    """
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        syscalls.unshare(syscalls.CLONE_NEWNET)
        syscalls.mount("tmpfs", str(NETNS_DIR), "tmpfs", 0, "mode=755")
        sandbox_init.raise_loopback()
        yield
        syscalls.unmount(str(NETNS_DIR))
    finally:
        syscalls.setns(before, syscalls.CLONE_NEWNET)
        os.close(before)


@pytest.fixture
def host(netns: None) -> Host:
    """A host with a network and a folder of its own. Sandbox tests only. The path is short: sockets lie below it."""
    return Host(run_dir=Path("/run/t", secrets.token_hex(3)))
