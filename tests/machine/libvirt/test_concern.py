"""Where machines of a topology are looked for, though it declares none any more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lbkit.base.host import Host
from lbkit.engine.book import Book
from lbkit.engine.scope import Scope
from lbkit.hypervisor.resolved import Hypervisors, ResolvedHost
from lbkit.machine.libvirt.concern import concerns, hosts_of
from lbkit.machine.libvirt.names import channel_folder
from lbkit.machine.resolved import Machines


@pytest.fixture
def at(tmp_path: Path) -> ResolvedHost:
    return ResolvedHost("local", "qemu:///system", "lbkit", str(tmp_path / "pool"), implicit=True)


def scope(at: ResolvedHost) -> Scope:
    resolved = {"hypervisor": Hypervisors({at.name: at}), "machine": Machines({}, {})}
    return Scope("web", Path(), "web.yml", resolved, Book())


def test_who_never_had_any_needs_no_libvirt(at: ResolvedHost, tmp_path: Path) -> None:
    assert not concerns(scope(at), Host(run_dir=tmp_path / "run"))


def test_a_file_in_the_pool_is_enough(at: ResolvedHost, tmp_path: Path) -> None:
    Path(at.path).mkdir()
    Path(at.path, "other.lb.1.disk.qcow2").touch()
    assert not concerns(scope(at), Host(run_dir=tmp_path / "run"))
    Path(at.path, "web.lb.1.disk.qcow2").touch()
    assert list(hosts_of(scope(at), Host(run_dir=tmp_path / "run"))) == [at]


def test_so_is_the_folder_of_a_domain_whose_volumes_are_gone_or_not_made_yet(
    at: ResolvedHost, tmp_path: Path
) -> None:
    host = Host(run_dir=tmp_path / "run")
    channel_folder(host, at.uri, "web.lb.1").mkdir(parents=True)
    assert list(hosts_of(scope(at), host)) == [at]


def test_a_host_that_a_person_declared_is_always_looked_at(at: ResolvedHost, tmp_path: Path) -> None:
    assert concerns(scope(replace(at, implicit=False)), Host(run_dir=tmp_path / "run"))
