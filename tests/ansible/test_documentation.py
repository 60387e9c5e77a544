"""What the modules say of themselves is true: options, examples, attributes, returned values."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from tests.ansible.conftest import ROOT

COLLECTION = ROOT / "ansible_collections" / "lbkit" / "core"
MODULES = sorted(path.stem for path in (COLLECTION / "plugins" / "modules").glob("*.py"))

# Runs in a process of its own: importing a module of a collection must not need this test's sys.path.
_SPEC = """
import importlib, json, sys
from ansible.module_utils import basic
def told(self, *given, **more):
    print(json.dumps({"given": given, **more}))
    raise SystemExit
basic.AnsibleModule.__init__ = told
importlib.import_module(f"ansible_collections.lbkit.core.plugins.modules.{sys.argv[1]}").main()
"""


def ran(*words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ANSIBLE_HOME": "/nonexistent"}
    done = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


@cache
def declared(module: str) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(ran(sys.executable, "-c", _SPEC, module))
    return spec


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    program = str(Path(sys.executable).with_name("ansible-doc"))
    os.environ["ANSIBLE_LOCAL_TEMP"] = str(tmp_path_factory.mktemp("ansible"))
    told: dict[str, Any] = json.loads(ran(program, "--json", *(f"lbkit.core.{module}" for module in MODULES)))
    return told


@pytest.mark.parametrize("module", MODULES)
def test_options_are_documented_as_they_are(module: str, documented: dict[str, Any]) -> None:
    options = documented[f"lbkit.core.{module}"]["doc"]["options"]
    spec = declared(module)["argument_spec"]
    assert set(options) == set(spec)
    for name, option in spec.items():
        for part in ("type", "elements", "choices", "default", "required"):
            there = options[name].get(part, False if part == "required" else None)
            assert there == option.get(part, False if part == "required" else None), f"{name}: {part}"


@pytest.mark.parametrize("module", MODULES)
def test_attributes_are_true(module: str, documented: dict[str, Any]) -> None:
    attributes = documented[f"lbkit.core.{module}"]["doc"]["attributes"]
    assert declared(module)["supports_check_mode"] is (attributes["check_mode"]["support"] == "full")
    group = yaml.safe_load((COLLECTION / "meta" / "runtime.yml").read_text())["action_groups"]["all"]
    assert module in group
    assert attributes["action_group"]["membership"] == ["lbkit.core.all"]


@pytest.mark.parametrize("module", MODULES)
def test_examples_are_arguments_that_the_module_takes(module: str, documented: dict[str, Any]) -> None:
    tasks = yaml.safe_load(documented[f"lbkit.core.{module}"]["examples"])
    ours = [task[f"lbkit.core.{module}"] for task in tasks if f"lbkit.core.{module}" in task]
    assert ours
    spec = declared(module)
    validator = ArgumentSpecValidator(
        spec["argument_spec"],
        mutually_exclusive=spec["mutually_exclusive"],
        required_one_of=spec["required_one_of"],
    )
    for arguments in ours:
        assert not validator.validate(arguments).error_messages


def test_the_library_is_named_where_it_is_missing(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    playbook = tmp_path / "missing.yml"
    playbook.write_text(
        yaml.safe_dump(
            [
                {
                    "hosts": "localhost",
                    "gather_facts": False,
                    "tasks": [{"lbkit.core.topology_info": {"file": "x"}}],
                    "vars": {"ansible_python_interpreter": str(bare)},
                }
            ]
        )
    )
    environment = {
        **os.environ,
        "ANSIBLE_HOME": str(tmp_path),
        "ANSIBLE_LOCAL_TEMP": str(tmp_path),
        "ANSIBLE_REMOTE_TEMP": str(tmp_path),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT),
    }
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "-c", "local", playbook],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode != 0
    assert "lbkit-iac" in done.stdout + done.stderr


def test_the_collection_and_the_package_have_one_version() -> None:
    galaxy = yaml.safe_load((COLLECTION / "galaxy.yml").read_text())
    init = (ROOT / "lbkit" / "__init__.py").read_text()
    assert f'__version__ = "{galaxy["version"]}"' in init
