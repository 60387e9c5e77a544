"""The role dns_server at a real named, beside what the molecule scenario `dns` shows: check mode, a given key, a secondary, and what is wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbkit.base.host import Host
from lbkit.dns.keygen import write_key
from tests.ansible.conftest import Play, Played
from tests.ansible.system import covered, digest
from tests.dns.named import Named, running
from tests.machine.world import until

pytestmark = pytest.mark.sandbox

USER = "bind" if Host().can_switch_user else "root"
FOREIGN = 'zone "before.test" { type primary; file "/etc/bind/db.empty"; };\n'
PRIMARY = {"name": "example.org", "nameservers": [{"name": "ns", "addresses": ["127.0.0.1"]}]}
SECONDARY = {"name": "example.test", "type": "secondary", "primaries": ["127.0.0.2"]}


@pytest.fixture
def folder(netns: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Debian's files of BIND, with a zone of somebody's; `primary` in the folder that it gives is a server at 127.0.0.2."""
    monkeypatch.setenv("ANSIBLE_PIPELINING", "true")
    with covered(tmp_path / "system", copies=("/etc", "/var/lib/bind", "/var/cache/bind")):
        with Path("/etc/bind/named.conf.local").open("a") as file:
            file.write(FOREIGN)
        subprocess.run(["rndc-confgen", "-a"], check=True, capture_output=True)
        subprocess.run(["chown", USER, "/etc/bind/rndc.key", "/var/cache/bind"], check=True)
        yield tmp_path


@pytest.fixture
def named(folder: Path) -> Iterator[Named]:
    """As Debian starts it, with these files. The options are Debian's until the role writes."""
    server = SystemNamed(folder / "log", folder / "none")
    write_key(folder / "tsig.key")
    subprocess.run(["ip", "address", "add", "127.0.0.2/8", "dev", "lo"], check=True)
    with running(Named(folder / "primary", folder / "tsig.key", address="127.0.0.2")), running(server):
        yield server


class SystemNamed(Named):
    def start(self) -> Named:
        self.folder.mkdir()
        Path("/run/named").mkdir(exist_ok=True)
        subprocess.run(["chown", USER, "/run/named"], check=True)
        # not the addresses of the other one, which the role's own options say later
        options = Path("/etc/bind/named.conf.options")
        options.write_text(options.read_text().replace("options {", "options {\n\tlisten-on { 127.0.0.1; };"))
        with (self.folder / "log").open("ab") as log:
            user = ["-u", USER] if USER != "root" else []
            self.process = subprocess.Popen(["named", "-g", "-n", "1", *user], stderr=log, stdout=log)
        until(lambda: "running" in self.log, "named runs", within=20)
        return self


class Plays:
    """A playbook of the role, with arguments, again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tasks: list[dict[str, Any]] = []

    def add(self, name: str, *zones: dict[str, Any], **arguments: Any) -> None:
        role = {"name": "lbkit.core.dns_server", "public": False}
        given = {"dns_server_zones": zones, "dns_server_user": USER, "dns_server_group": USER, **arguments}
        task = {"name": name, "ansible.builtin.include_role": role, "vars": given}
        said = {
            "name": f"{name}: failed",
            "ansible.builtin.debug": {"msg": "{{ ansible_failed_result.msg }}"},
        }
        self.tasks.append({"block": [task], "rescue": [said]})
        self.tasks.append({"name": f"{name}: told", "ansible.builtin.meta": "flush_handlers"})

    def file(self) -> Path:
        path = self.folder / "play.yml"
        path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": self.tasks}]))
        return path


def changed(played: Played) -> list[str]:
    return [task["task"] for task in played.tasks if task["result"].get("changed")]


def asked(server: str, *words: str) -> str:
    told = subprocess.run(
        ["dig", f"@{server}", "+tries=1", "+time=5", "+short", *words], capture_output=True, text=True, check=False
    )  # fmt: skip
    return told.stdout.strip()


def test_check_mode_foretells_and_nothing_of_others_is_lost(play: Play, folder: Path, named: Named) -> None:
    (secret,) = re.findall(r'secret "(.*)"', (folder / "tsig.key").read_text())
    plays = Plays(folder)
    plays.add("role", PRIMARY, SECONDARY, dns_server_key_secret=secret, dns_server_listen_on=["127.0.0.1"], dns_server_listen_on_v6=["::1"])  # fmt: skip
    before = digest("/etc", "/var/lib/bind")
    foretold = play(plays.file(), "--check", "--diff", "-vvv")
    assert foretold.code == 0, foretold.text
    assert digest("/etc", "/var/lib/bind") == before, "check mode changed something"

    made = play(plays.file(), "--diff", "-vvv")
    assert made.code == 0, made.text
    assert [name for name in changed(made) if "Have named take it" not in name] == changed(foretold)
    assert "lbkit.core.dns_server : Have named take it" in changed(made)
    assert secret not in made.text + foretold.text
    until(lambda: asked("127.0.0.1", "ns.example.test", "A") == "127.0.0.1", "the secondary has its zone", within=20)  # fmt: skip
    assert asked("127.0.0.1", "ns.example.org", "A") == "127.0.0.1"
    assert asked("127.0.0.1", "before.test", "NS")

    after = digest("/etc", "/var/lib/bind")
    gone = set(before) - set(after)
    assert not gone
    assert {name for name, what in before.items() if after[name] != what} == {
        "/etc/bind/named.conf.local",
        "/etc/bind/named.conf.options",
    }
    assert [after[f"/etc/bind/named.conf.{name}"][:2] for name in ("local", "options")] == [
        before[f"/etc/bind/named.conf.{name}"][:2] for name in ("local", "options")
    ]
    assert FOREIGN in Path("/etc/bind/named.conf.local").read_text()
    assert "dnssec-validation auto;" in Path("/etc/bind/named.conf.options").read_text()
    told = subprocess.run(["named-checkconf", "-p"], capture_output=True, text=True, check=True).stdout
    assert re.findall(r"listen-on-v6.*?\{(.*?)\}", told, re.DOTALL) == ["\n\t\t::1/128;\n\t"]

    # A zone file that named wrote, a zone that is there twice, and options that the host has already.
    Path("/var/lib/bind/example.org.zone").write_text("named's own")
    late = Plays(folder)
    late.add("twice", {**PRIMARY, "name": "localhost"}, PRIMARY, dns_server_key_secret=secret, dns_server_options=False)  # fmt: skip
    late.add("policy", {**PRIMARY, "update_policy": ["grant lbkit nonsense ANY"]}, dns_server_key_secret=secret)  # fmt: skip
    late.add("inject", {**PRIMARY, "name": 'x"; };'}, dns_server_key_secret=secret)
    options = Path("/etc/bind/named.conf.options")
    options.write_text(options.read_text().replace("recursion no;", ""))
    options.write_text(options.read_text().replace("directory", "recursion no;\n\tdirectory"))
    late.add("there already", PRIMARY, SECONDARY, dns_server_key_secret=secret)
    standing = digest("/etc/bind")
    failed = play(late.file())
    for name, words in {
        "twice": "zone 'localhost': already exists",
        "policy": "nonsense",
        "inject": "zones are names",
        "there already": "'recursion' redefined",
    }.items():
        assert words in failed.task(f"{name}: failed")["msg"], failed.text
    assert digest("/etc/bind") == standing, "something wrong was left"
    assert Path("/var/lib/bind/example.org.zone").read_text() == "named's own"


def test_a_key_is_made_and_never_shown(play: Play, folder: Path) -> None:
    """Where nobody runs named, and no systemd: all is written, and nothing is started."""
    plays = Plays(folder)
    copy = str(folder / "copy.key")
    plays.add("role", PRIMARY, dns_server_key_algorithm="hmac-sha512", dns_server_key_copy=copy)
    made = play(plays.file(), "--diff", "-vvv")
    assert made.code == 0, made.text
    text = Path("/etc/bind/lbkit.key").read_text()
    (secret,) = re.findall(r'secret "(.*)"', text)
    assert len(secret) == 88, "as long as the digest"
    assert secret not in made.text
    assert "Have named take it" not in " ".join(changed(made))
    assert Path(copy).read_text() == text
    assert oct(os.stat(copy).st_mode) == oct(0o100600)
    again = play(plays.file())
    assert (again.code, again.recap["changed"]) == (0, 0), again.text
    assert Path("/etc/bind/lbkit.key").read_text() == text
