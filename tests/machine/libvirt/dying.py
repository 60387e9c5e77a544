"""Applies that die: `python -m tests.machine.libvirt.dying RUN_DIR SHADOWS`, a process that does one after another.

A line of its stdin is "FILE apply NUMBER" or "FILE destroy NUMBER": that is done by a fork of its own, which gets SIGKILL just
before the thing of that number that it does to libvirt or to a guest. It says "killed" and before what, or "over" where
there are fewer. This process itself never speaks to libvirt: a fork of one that did could not.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any

from lbkit import operate
from lbkit.base.host import Host
from lbkit.hypervisor.failures import binding
from lbkit.machine.guest.port import _HARMLESS, Line
from tests.machine.libvirt.shadows import answer_instead

CHANGING = {
    "virConnect": ("defineXML", "storagePoolDefineXML"),
    "virDomain": (
        *("attachDeviceFlags", "create", "destroy", "detachDeviceFlags", "setMemoryFlags", "setMetadata"),
        *("undefineFlags", "updateDeviceFlags"),
    ),
    "virStoragePool": ("create", "createXML", "delete", "destroy", "setAutostart", "undefine"),
    "virStorageVol": ("delete", "upload"),
}


def main() -> None:
    run_dir, shadows = Path(sys.argv[1]), Path(sys.argv[2])
    answer_instead(shadows)
    for line in sys.stdin:
        file, what, number = line.split()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.close(reading)
                die_at(int(number), writing)
                operate.apply(operate.load(file), Host(run_dir=run_dir), absent=what == "destroy")
                code = 0
            finally:
                sys.stderr.flush()
                os._exit(code)
        os.close(writing)
        with open(reading, encoding="ascii") as last:
            words = last.read()
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        print({0: "over", -signal.SIGKILL: f"killed {words}"}.get(code, f"failed {code}"), flush=True)


def die_at(number: int, told: int) -> None:
    module = binding()
    count = itertools.count()

    def before(what: str) -> None:
        if next(count) == number:
            os.write(told, what.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def dying(real: Any, what: str) -> Any:
        def call(*given: Any, **more: Any) -> Any:
            before(what)
            return real(*given, **more)

        return call

    for kind, names in CHANGING.items():
        for name in names:
            setattr(
                getattr(module, kind), name, dying(getattr(getattr(module, kind), name), f"{kind}.{name}")
            )
    asked = Line.call

    def ask(line: Line, method: str, *given: Any, **more: Any) -> Any:
        if method not in _HARMLESS:
            before(f"guest.{method}")
        return asked(line, method, *given, **more)

    Line.call = ask  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
