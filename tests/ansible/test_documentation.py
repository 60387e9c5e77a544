"""What modules and plugins say of themselves is true: options, examples, attributes, returned values."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from tests.ansible import examples, foretelling
from tests.ansible.conftest import ROOT

COLLECTION = ROOT / "ansible_collections" / "lbkit" / "core"
MODULES = sorted(path.stem for path in (COLLECTION / "plugins" / "modules").glob("*.py"))
PLUGINS = [
    (kind, path.stem)
    for kind in ("connection", "inventory", "lookup")
    for path in sorted((COLLECTION / "plugins" / kind).glob("*.py"))
]

SHARED = {"connection": ["_machine"], "lookup": ["_lookup"]}  # where plugins of a kind ask for options
ACTIONS = sorted(path.stem for path in (COLLECTION / "plugins" / "action").glob("*.py"))

# Runs in a process of its own: importing a module of a collection must not need this test's sys.path.
_SPEC = """
import importlib, json, sys
from ansible.module_utils import basic
def told(self, *given, **more):
    print(json.dumps({"given": given, **more}, default=repr))
    raise SystemExit
basic.AnsibleModule.__init__ = told
importlib.import_module(f"ansible_collections.lbkit.core.plugins.modules.{sys.argv[1]}").main()
"""


def ran(*words: str, **variables: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ANSIBLE_HOME": "/nonexistent", **variables}
    done = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def source(kind: str, name: str) -> str:
    return (COLLECTION / "plugins" / kind / f"{name}.py").read_text()


@cache
def declared(module: str) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(ran(sys.executable, "-c", _SPEC, module))
    return spec


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    program = str(Path(sys.executable).with_name("ansible-doc"))
    names = [f"lbkit.core.{module}" for module in MODULES]
    temporary = str(tmp_path_factory.mktemp("ansible"))
    told: dict[str, Any] = json.loads(ran(program, "--json", *names, ANSIBLE_LOCAL_TEMP=temporary))
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


def test_of_every_module_check_mode_is_held_to_its_promise() -> None:
    assert set(foretelling.named(Path(__file__).parent)) == set(MODULES)


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_plugin_is_of_a_module(action: str) -> None:
    """It has no text of its own: its module's is what people read, and its options are the module's."""
    assert action in MODULES


def test_who_shows_how_a_task_goes_says_so(documented: dict[str, Any]) -> None:
    showing = {action for action in ACTIONS if "ProgressAction" in source("action", action)}
    assert showing == {module for module in MODULES if "progress_file" in declared(module)["argument_spec"]}
    for module in showing:
        notes = " ".join(documented[f"lbkit.core.{module}"]["doc"]["notes"])
        assert all(
            word in notes for word in ("lbkit_progress", "LBKIT_PROGRESS", "check mode", "async", "no_log")
        )


@pytest.mark.parametrize("module", MODULES)
def test_attributes_are_true(module: str, documented: dict[str, Any]) -> None:
    attributes = documented[f"lbkit.core.{module}"]["doc"]["attributes"]
    assert declared(module)["supports_check_mode"] is (attributes["check_mode"]["support"] == "full")
    groups = yaml.safe_load((COLLECTION / "meta" / "runtime.yml").read_text())["action_groups"]
    assert module in groups["all"]
    # options that a group shares: what `module_defaults` gives to all of it
    takes_topology = {"file", "run_dir"} <= set(declared(module)["argument_spec"])
    assert (module in groups["topologies"]) is (
        takes_topology and module != "haproxy_server"
    )  # whose other form takes none
    assert (module in groups["sockets"]) is ("socket" in declared(module)["argument_spec"])
    assert (module in groups["zones"]) is ("zone" in declared(module)["argument_spec"])
    assert attributes["action_group"]["membership"] == ["lbkit.core.all"]


@pytest.mark.parametrize("module", MODULES)
def test_examples_are_arguments_that_the_module_takes(module: str, documented: dict[str, Any]) -> None:
    """Of all our modules that its examples call, each in the form that it stands in there."""
    tasks = list(examples.tasks(documented[f"lbkit.core.{module}"]["examples"]))
    assert module in {task.module for task in tasks}, "no example of the module itself"
    for task in tasks:
        assert task.module in MODULES, f"{task.name}: there is no such module"
        assert not refused(task.module, task.arguments), task.name
        for text in examples.texts([task.arguments, task.keywords]):
            examples.parsed(text)


def refused(module: str, arguments: dict[str, Any]) -> list[str]:
    """Why the module would not take the arguments."""
    spec = declared(module)
    options = spec["argument_spec"]
    rules = ("mutually_exclusive", "required_together", "required_one_of", "required_if", "required_by")
    validator = ArgumentSpecValidator(
        without_fallbacks(options), **{rule: spec[rule] for rule in rules if rule in spec}
    )
    filled = {name: examples.filled_in(value, options.get(name, {})) for name, value in arguments.items()}
    said: list[str] = validator.validate(filled).error_messages
    return said


def without_fallbacks(options: dict[str, Any]) -> dict[str, Any]:
    """Examples say all that they need; a fallback is a function, besides, and came here as text."""
    plain = {}
    for name, option in options.items():
        plain[name] = {key: value for key, value in option.items() if key != "fallback"}
        if option.get("options"):
            plain[name]["options"] = without_fallbacks(option["options"])
    return plain


FORMS = """
- lbkit.core.topology: file=/etc/web.yml state=absent
- action: lbkit.core.topology file=/etc/web.yml
- local_action: {module: lbkit.core.topology, file: /etc/web.yml}
- lbkit.core.topology:
  args: {file: /etc/web.yml}
- lbkit.core.topology: {file: "{{ item }}", prove: "{{ proves }}", adopt: "{{ known }}", state: "{{ wanted }}"}
  loop: [a.yml]
- hosts: all
  tasks:
    - block:
        - lbkit.core.topology: {definition: "{{ lookup('file', 'x') | from_yaml }}", adopt: ["network/{{ item }}"]}
      rescue:
        - ansible.builtin.debug:
---
- lbkit.core.topology: {file: !unsafe "{{x", run_dir: !vault "abc"}
"""


def test_examples_of_every_form_are_understood() -> None:
    tasks = list(examples.tasks(FORMS))
    assert [task.module for task in tasks] == ["topology"] * 7
    assert tasks[0].arguments == {"file": "/etc/web.yml", "state": "absent"}
    assert tasks[1].arguments == tasks[2].arguments == tasks[3].arguments == {"file": "/etc/web.yml"}
    assert tasks[5].keywords["hosts"] == "all"
    assert not [why for task in tasks for why in refused(task.module, task.arguments)]
    for text in examples.texts([[task.arguments, task.keywords] for task in tasks]):
        examples.parsed(text)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"file": "a", "definition": {}}, {"file": "a", "states": "present"}, {"file": "a", "state": "gone"}, {"file": "a", "prove": "often"}],
)  # fmt: skip
def test_what_a_module_does_not_take_is_refused_in_examples(arguments: dict[str, Any]) -> None:
    assert refused("topology", arguments)


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    program = str(Path(sys.executable).with_name("ansible-doc"))
    temporary = str(tmp_path_factory.mktemp("ansible"))
    told: dict[tuple[str, str], dict[str, Any]] = {}
    for kind in {kind for kind, _ in PLUGINS}:
        names = [name for each, name in PLUGINS if each == kind]
        full = [f"lbkit.core.{name}" for name in names]
        texts = json.loads(ran(program, "--json", "-t", kind, *full, ANSIBLE_LOCAL_TEMP=temporary))
        told |= {(kind, name): texts[f"lbkit.core.{name}"] for name in names}
    return told


def variables(options: dict[str, Any]) -> set[str]:
    return {variable["name"] for option in options.values() for variable in option.get("vars", ())}


@pytest.mark.parametrize("plugin", PLUGINS, ids="/".join)
def test_plugins_have_the_options_that_they_ask_for(plugin: tuple[str, str], plugins: dict[Any, Any]) -> None:
    doc = plugins[plugin]["doc"]
    kind, name = plugin
    asked = set(re.findall(r'get_option\("(\w+)"\)', source(kind, name)))
    for each in SHARED.get(kind, ()):
        asked |= set(re.findall(r'get_option\("(\w+)"\)', source("plugin_utils", each)))
    # it asks for these itself, or hands them over
    of_ansible = {"pipelining", "plugin", "use_extra_vars", "leading_separator", "_terms"}
    assert asked == set(doc["options"]) - of_ansible
    assert doc["version_added"]
    assert doc["requirements"]
    for key, option in doc["options"].items():
        assert option["description"]
        assert option["type"]
        # a topology is told by one of two
        assert option.get("required", False) != ("default" in option) or {"source", "definition"} & {key}


@pytest.mark.parametrize("plugin", [each for each in PLUGINS if each[0] != "lookup"], ids="/".join)
def test_examples_of_plugins_say_what_they_take(plugin: tuple[str, str], plugins: dict[Any, Any]) -> None:
    kind, name = plugin
    options = plugins[plugin]["doc"]["options"]
    examples = list(yaml.safe_load_all(plugins[plugin]["examples"]))
    assert examples
    for example in examples:
        if kind == "inventory":
            assert example["plugin"] == f"lbkit.core.{name}"
            assert set(example) <= set(options)
            assert {key for key, option in options.items() if option.get("required")} <= set(example)
        else:
            (host,) = example.values()
            assert host["ansible_connection"] == f"lbkit.core.{name}"
            assert set(host) - {"ansible_connection", "ansible_python_interpreter"} <= variables(options)


@pytest.mark.parametrize("name", [name for kind, name in PLUGINS if kind == "lookup"])
def test_examples_of_lookups_say_what_they_take(name: str, plugins: dict[Any, Any]) -> None:
    called = set()
    for text in examples.texts(yaml.safe_load(plugins["lookup", name]["examples"])):
        for lookup, terms, options in examples.lookups(text):
            assert terms, text
            assert set(options) <= set(plugins["lookup", lookup]["doc"]["options"]), text
            called.add(lookup)
    assert name in called


def test_lookups_within_texts_are_found() -> None:
    text = "{{ lookup('lbkit.core.address', 'a', 'b', prefix=true) }} {{ x | map('upper') }} {{ lookup('env', 'x') }}"
    assert list(examples.lookups(text)) == [("address", 2, ["prefix"])]
    assert list(examples.lookups("query('lbkit.core.address', every=true) | length == 0")) == [
        ("address", 0, ["every"])
    ]
    assert not list(examples.lookups("plain words: not an expression"))


def test_the_inventory_sets_what_the_connections_ask_for(plugins: dict[Any, Any]) -> None:
    text = " ".join(plugins["inventory", "topology"]["doc"]["description"])
    for kind, name in PLUGINS:
        options = plugins[kind, name]["doc"]["options"]
        needed = {
            key: option for key, option in options.items() if option.get("required") and option.get("vars")
        }
        assert all(f"C({variable})" in text for variable in variables(needed))


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
