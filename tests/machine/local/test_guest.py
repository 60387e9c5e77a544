"""What goes into a guest works there: from an archive, by the standard library alone, in the network that it is in."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lbkit
from tests.machine.world import PYTHON

pytestmark = pytest.mark.sandbox

FOREIGN = {"pydantic", "pydantic_core", "yaml", "dns", "rich", "cryptography", "libvirt"}
CODE = """
import sys
from ipaddress import ip_address
from pathlib import Path
from lbkit.base.host import Host
from lbkit.health.outcome import Target
from lbkit.health.question import Question
from lbkit.machine.contract import Program
from lbkit.machine.local.machine import LocalMachine

machine = LocalMachine("guest-alone", Host(run_dir=Path(sys.argv[2])), "m")
machine.put(machine.folder("app") / "conf", b"x")
program = Program("app", ("sleep", "1000"), digest="d", drain="TERM", drain_timeout=10.0)
running = machine.start(program)
assert machine.running() == {"app": running}
print(machine.execute(["readlink", "/proc/self/ns/net", f"/proc/{running.pid}/ns/net"]).stdout)
assert machine.addresses("none") == ()
assert machine.path_to(ip_address("127.0.0.1")).interface == "lo"
nobody = Target("127.0.0.1", 1)
assert machine.probe(Question(), [nobody])[nobody].code == "L4CON"
machine.drain("app")
assert machine.running() == {}
machine.remove("app")
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("lies", ["as files", "in an archive"])
def test_a_local_machine_needs_the_standard_library_alone(lies: str, tmp_path: Path) -> None:
    source = Path(lbkit.__file__).parent
    path = source.parent
    if lies == "in an archive":
        path = tmp_path / "guest.pyz"
        with zipfile.ZipFile(path, "w") as archive:
            for file in source.rglob("*.py"):
                archive.write(file, Path("lbkit") / file.relative_to(source))
    code = f"import sys; sys.path.insert(0, sys.argv[1])\n{CODE}"
    done = subprocess.run(
        [PYTHON, "-I", "-S", "-c", code, path, tmp_path / "run"], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    first, second, _, modules = done.stdout.splitlines()
    assert first == second
    assert not FOREIGN & set(modules.split())


def test_the_contract_is_of_the_standard_library(tmp_path: Path) -> None:
    code = "import sys, lbkit.machine.contract; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert not FOREIGN & {name.partition(".")[0] for name in done.stdout.split()}
