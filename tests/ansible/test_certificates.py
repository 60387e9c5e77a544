"""playbooks/certificates.yml: what expires is renewed and served, by every member, and nobody is refused; what is broken is not served."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

import lbkit
from tests.ansible.conftest import Play, Played
from tests.example import EXAMPLES
from tests.haproxy.bare import Bare, running
from tests.haproxy.tls.authority import Authority, Issued
from tests.haproxy.tls.clients import handshake, trusting
from tests.haproxy.versions import VERSIONS, program

pytestmark = pytest.mark.sandbox

ROOT = Authority()
SHOP, BLOG = "shop.example.org", "blog.example.org"

RENEW = """\
- name: Get a new one from the authority
  ansible.builtin.copy:
    src: "NEW/{{ certificate.name | basename | splitext | first }}.pem"
    dest: "DEST/{{ certificate.name | basename | splitext | first }}.pem"
    mode: "0600"
"""


class Renewal:
    """The tasks file of a user: what the authority has for him is put where `files` are."""

    def __init__(self, folder: Path, files: Path) -> None:
        self.new, self.tasks = folder / "new", folder / "renew.yml"
        self.tasks.write_text(RENEW.replace("NEW", str(self.new)).replace("DEST", str(files)))

    def offer(self, name: str, issued: Issued) -> Issued:
        issued.write(self.new / f"{name}.pem")
        return issued


def shown(name: str, at: str, port: int = 443) -> int:
    return handshake(port, name, trusting(ROOT, check_name=False), at=at).serial


@contextmanager
def clients(*servers: str) -> Iterator[list[str]]:
    """What clients of these met that was no whole answer."""
    failed: list[str] = []
    over = threading.Event()
    context = trusting(ROOT, check_name=False)

    def ask(at: str) -> None:
        while not over.wait(0.02):
            try:
                with urllib.request.urlopen(f"https://{at}/", timeout=10, context=context) as answer:
                    answer.read()
            except OSError as error:
                failed.append(f"{at}: {error}")

    threads = [threading.Thread(target=ask, args=(at,)) for at in servers]
    for thread in threads:
        thread.start()
    try:
        yield failed
    finally:
        over.set()
        for thread in threads:
            thread.join()


MEMBERS = ("10.97.1.11", "10.97.1.12")


@pytest.fixture
def file(netns: None, topology_name: str, tmp_path: Path) -> Iterator[Path]:
    """Two machines that serve `shop`, which expires in 5 days, and `blog`, in 80."""
    path = tmp_path / "lb.yml"
    ROOT.issue(SHOP, days=5).write(tmp_path / "shop.pem")
    ROOT.issue(BLOG, days=80).write(tmp_path / "blog.pem")
    document = {
        "lbkit": 1,
        "name": topology_name,
        "networks": {"front": {"cidr": "10.97.1.0/24"}},
        "machines": {
            "lb": {"count": 2, "networks": {"front": {"addresses": list(MEMBERS)}}},
            "web": {
                "networks": ["front"],
                "run": [
                    {
                        "name": "app",
                        "command": ["/usr/bin/python3", "-I", "app.py", 8080],
                        "files": {"app.py": {"source": str(EXAMPLES / "web" / "app.py")}},
                        "ready": {"port": 8080},
                    }
                ],
            },
        },
        "load_balancers": {
            "shop": {
                "machines": "lb",
                "certificates": {"shop": {"file": "shop.pem"}, "blog": {"file": "blog.pem"}},
                "frontends": {"https": {"bind": {"port": 443, "tls": ["shop", "blog"]}, "backend": "web"}},
                "backends": {"web": {"servers": [{"machines": "web", "port": 8080}]}},
            }
        },
    }
    path.write_text(yaml.safe_dump(document))
    lbkit.apply(lbkit.load(path))
    yield path
    lbkit.destroy(lbkit.load(path))


def test_of_a_topology_what_expires_is_renewed_on_every_machine(
    play: Play, file: Path, tmp_path: Path
) -> None:
    renewal = Renewal(tmp_path, tmp_path)
    new = renewal.offer("shop", ROOT.issue(SHOP, "www.shop.example.org"))

    def run(*words: str, **more: object) -> Played:
        return play(
            "playbooks/certificates.yml", *words, topology_file=str(file), renew=str(renewal.tasks), **more
        )

    before = (tmp_path / "shop.pem").read_bytes()
    old = {name: shown(name, MEMBERS[0]) for name in (SHOP, BLOG)}
    foreseen = run("--check")
    assert foreseen.code == 0, foreseen.text[-3000:]
    assert foreseen.task("Tell which these are")["msg"] == ["shop"]
    assert ((tmp_path / "shop.pem").read_bytes(), shown(SHOP, MEMBERS[0])) == (before, old[SHOP])

    with clients(*MEMBERS) as failed:
        came = run()
    assert came.code == 0, came.text[-3000:]
    assert failed == []
    assert came.task("Tell which these are")["msg"] == ["shop"]
    assert came.recap["changed"] == 2
    (change, other) = came.task("Serve what the files have")["plan"]["changes"]
    assert {change["impact"], other["impact"]} == {"hitless"}
    for at in MEMBERS:
        assert (shown(SHOP, at), shown(BLOG, at)) == (new.serial, old[BLOG])
    again = run()
    assert (again.code, again.recap["changed"]) == (0, 0), again.text[-3000:]
    assert sorted(each.name for each in tmp_path.glob("*.pem*")) == ["blog.pem", "shop.pem"]

    # with the old one in the process and a new one in its file, that is served and nothing is renewed
    ROOT.issue(BLOG, days=200).write(tmp_path / "blog.pem")
    taken = run(renew_before="85d")
    assert (taken.code, taken.recap["changed"]) == (0, 1), taken.text[-3000:]
    old[BLOG] = shown(BLOG, MEMBERS[0])

    kept = (tmp_path / "shop.pem").read_bytes()
    renewal.offer("shop", Issued(ROOT.issue(SHOP, days=200).certificate, ROOT.issue(SHOP).key))
    refused = run(renew_before="100d")
    assert refused.code != 0
    assert "a key of none of" in refused.text
    assert "what was served serves on" in refused.text
    assert ((tmp_path / "shop.pem").read_bytes(), shown(SHOP, MEMBERS[1])) == (kept, new.serial)
    assert not lbkit.plan(lbkit.load(file))


CONFIG = """
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 1s
frontend f
    bind 127.0.0.1:PORT ssl crt shop.pem crt blog.pem
    http-request return status 200
"""


@pytest.fixture
def balancers(netns: None, tmp_path: Path) -> Iterator[dict[str, Bare]]:
    """Two HAProxys of one's own, by host, and the inventory that has them."""
    with ExitStack() as stack:
        made, lines = {}, []
        for number, version in enumerate(VERSIONS):
            folder = tmp_path / f"h{number}"
            ROOT.issue(SHOP, "www.shop.example.org", days=5).write(folder / "shop.pem")
            ROOT.issue(BLOG, days=300).write(folder / "blog.pem")
            config = CONFIG.replace("PORT", str(9443 + number))
            made[f"h{number}"] = stack.enter_context(running(program(version), folder, config))
            lines.append(
                f"h{number} socket={folder}/runtime.sock tls_port={9443 + number} folder={folder}"
                " ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'"
            )
        (tmp_path / "hosts").write_text("[balancers]\n" + "\n".join(lines) + "\n")
        yield made


def test_of_haproxys_of_ones_own(play: Play, balancers: dict[str, Bare], tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    staged.mkdir()
    renewal = Renewal(tmp_path, staged)
    renewed = [f"{staged}/{{{{ certificate.name }}}}"]

    def run(*words: str, **more: object) -> Played:
        return play(
            "playbooks/certificates.yml", "-i", str(tmp_path / "hosts"), *words,
            haproxy_hosts="balancers", renew=str(renewal.tasks), renewed=renewed, **more,
        )  # fmt: skip

    def on_disk() -> list[bytes]:
        return [
            (tmp_path / host / f"{name}.pem").read_bytes() for host in balancers for name in ("shop", "blog")
        ]

    def serials() -> list[int]:
        return [shown(name, "127.0.0.1", 9443 + number) for number in (0, 1) for name in (SHOP, BLOG)]

    files, before = on_disk(), serials()
    new = renewal.offer("shop", ROOT.issue(SHOP, "www.shop.example.org"))
    foreseen = run("--check")
    assert foreseen.code == 0, foreseen.text[-3000:]
    assert [foreseen.task("Tell which these are", host)["msg"] for host in balancers] == [["shop.pem"]] * 2
    assert (on_disk(), serials(), list(staged.iterdir())) == (files, before, [])

    with clients("127.0.0.1:9443", "127.0.0.1:9444") as failed:
        came = run()
    assert came.code == 0, came.text[-3000:]
    assert failed == []
    assert serials() == [new.serial, before[1], new.serial, before[3]]
    assert [content == now for content, now in zip(files, on_disk(), strict=True)] == [False, True] * 2
    again = run()
    assert again.code == 0, again.text[-3000:]
    assert not any(task["result"].get("changed") for task in again.tasks)

    files, before = on_disk(), serials()
    wrong = ROOT.issue(SHOP, "www.shop.example.org", days=200)
    for offered, found in (
        (Issued(wrong.certificate, ROOT.issue(SHOP).key), "a key of none of"),
        (ROOT.issue(SHOP, days=200), "was to be for shop.example.org, www.shop.example.org"),
    ):
        renewal.offer("shop", offered)
        refused = run(renew_before="95d")
        assert refused.code != 0
        assert found in refused.text
        assert {task["host"] for task in refused.tasks} == {"h0"}
        assert (on_disk(), serials()) == (files, before)
