"""`lbkit sandbox -- COMMAND`: a world of its own for one command, gone when it ends."""

from __future__ import annotations

import argparse
import os
import sys

from lbkit.base.errors import Failure
from lbkit.faces.arguments import Commands, command
from lbkit.faces.out import Out


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "sandbox",
        run,
        about="run a command in a sandbox: own network, processes and /run",
        more="Works as root and as an ordinary user; nothing of it is left when the command ends. "
        "Exit code: the command's.",
    )
    parser.add_argument(
        "--libvirt",
        action="store_true",
        help="with a libvirtd of its own, for virtual machines: qemu:///system inside",
    )
    parser.add_argument("--libvirt-inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument(
        "argv",
        metavar="-- COMMAND",
        nargs=argparse.REMAINDER,
        help="by default your shell, to look around",
    )


def run(options: argparse.Namespace, _out: Out) -> int:
    from lbkit.base import sandbox  # noqa: PLC0415 - not for --help

    argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    argv = argv or [os.environ.get("SHELL") or "/bin/sh"]
    if options.libvirt_inside:
        return _with_libvirt(argv)
    if options.libvirt:
        argv = [sys.executable, "-m", "lbkit", "sandbox", "--libvirt-inside", "--", *argv]
    return sandbox.enter(argv)


def _with_libvirt(argv: list[str]) -> int:
    """Inside the sandbox: libvirtd goes to the background, and this process becomes the command."""
    from lbkit.base.host import Host  # noqa: PLC0415 - as above
    from lbkit.hypervisor.accelerator import kvm_works  # noqa: PLC0415
    from lbkit.hypervisor.daemon import start_for_sandbox  # noqa: PLC0415

    start_for_sandbox(hide_kvm=not kvm_works(Host()))
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - what a sandbox is for
    except OSError as error:
        raise Failure(f"{argv[0]!r} was to be run in the sandbox", found=error.strerror or "") from error
