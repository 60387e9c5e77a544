"""Run every bench, each in a sandbox of its own, and write docs/benchmarks.md: `make bench`.

    python bench/run.py [--quick] [--output PATH] [SCRIPT...]

With scripts named (`dns_tasks.py`), these alone: the page keeps its other sections, which ought to be of a machine like this one.
A bench is a script beside this one whose docstring begins with its title, takes --quick, and prints Markdown.
"""

from __future__ import annotations

import argparse
import ast
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import community

BENCH = Path(__file__).resolve().parent
SCRIPTS = (
    "networks.py",
    "coldstart.py",
    "plan.py",
    "ansible_tasks.py",
    "module_starts.py",
    "runtime.py",
    "dns_tasks.py",
    "haproxy_tasks.py",
    "bigplan.py",
    "parsers.py",
    "reloads.py",
    "domains.py",
    "machines.py",
    "mirrors.py",
    "mirror_reads.py",
    "mirror_memory.py",
)
LBKIT = Path(sys.executable).with_name("lbkit")


def description(script: Path) -> tuple[str, str]:
    """The title, and what the docstring says after its usage, if anything."""
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or script.name
    title, *rest = text.split("\n\n")
    return title.rstrip("."), "\n\n".join(part for part in rest if not part.startswith("    "))


def machine() -> str:
    facts = {
        "processor": _field("/proc/cpuinfo", "model name") or platform.machine(),
        "processors": str(os.cpu_count()),
        "memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) >> 20} GiB",
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
        "kernel": f"Linux {platform.release()}",
        "Python": platform.python_version(),
        "ansible-core": version("ansible-core"),
        "HAProxy": _haproxy(),
        "ansible (community.general)": community.PACKAGE.partition("==")[2],
        "pyroute2": version("pyroute2"),
    }
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _haproxy() -> str:
    said = subprocess.run(["haproxy", "-v"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return said.split()[2]


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def kept(page: Path) -> dict[str, str]:
    """The sections of a page that stands, by their titles."""
    if not page.exists():
        return {}
    parts = page.read_text(encoding="utf-8").split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.strip()}" for part in parts}


def measured(script: Path, options: list[str]) -> str:
    """The section of a bench, run in a sandbox of its own."""
    title, about = description(script)
    print(f"== {title}", flush=True)
    # as on a person's machine: whole processes read the bytecode that they left the last time
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [LBKIT, "sandbox", "--", sys.executable, str(script), *options],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    print(done.stdout, flush=True)
    return "\n\n".join(filter(None, [f"## {title}", about, done.stdout.strip()]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller worlds")
    parser.add_argument("--output", type=Path, default=BENCH.parent / "docs" / "benchmarks.md")
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT", help=", ".join(SCRIPTS))
    arguments = parser.parse_args()
    if unknown := set(arguments.scripts) - set(SCRIPTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(SCRIPTS)}")
    community.make()
    options = ["--quick"] if arguments.quick else []
    sections = kept(arguments.output) if arguments.scripts else {}
    for name in arguments.scripts or SCRIPTS:
        sections[description(BENCH / name)[0]] = measured(BENCH / name, options)
    order = [description(BENCH / name)[0] for name in SCRIPTS]
    text = "\n\n".join(
        [
            "# Benchmarks",
            "`make bench` writes this page. The ratios are what counts: each is of one run on one machine.",
            machine(),
            *(sections[title] for title in order if title in sections),
        ]
    )
    arguments.output.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
