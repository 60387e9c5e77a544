"""The whole way of a build, with programs in place of apt and mmdebstrap that bring a few small files at once."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.image.building import build_image
from lbkit.image.progress import Step
from lbkit.image.recipe import Recipe, recipe_of
from lbkit.image.store import Store

pytestmark = pytest.mark.sandbox

STATUS = """\
Package: haproxy
Status: install ok installed
Version: 2.6.12-1

Package: gone
Status: deinstall ok config-files
Version: 1

"""
FILES = {
    "./boot/vmlinuz-6.1.0-cloud": b"kernel",
    "./usr/lib/modules/6.1.0-cloud/modules.dep": b"a/virtio_pci.ko: a/virtio.ko\na/virtio.ko:\n",
    "./usr/lib/modules/6.1.0-cloud/modules.builtin": b"a/ext4.ko\n",
    "./usr/lib/modules/6.1.0-cloud/a/virtio.ko": b"virtio",
    "./usr/lib/modules/6.1.0-cloud/a/virtio_pci.ko": b"virtio_pci",
    **{f"./usr/lib/klibc/bin/{name}": b"program" for name in ("sh", "mount", "insmod", "run-init")},
    "./lib/klibc-x.so": b"library",
    "./var/lib/dpkg/status": STATUS.encode(),
}
MMDEBSTRAP = """#!/bin/sh
echo "$@" >>"$STUBS/asked"
[ -z "$HANG" ] || exec sleep 1000
[ -z "$SAYS" ] || { echo "I: running apt-get update..."; echo "$SAYS" >&2; exit 25; }
echo "I: installing remaining packages inside the chroot..."
for each; do case "$each" in *.tar) cp "$STUBS/root.tar" "$each";; esac; done
"""


@pytest.fixture
def recipe() -> Recipe:
    return replace(recipe_of("debian-12-lb"), size=64 << 20, modules=("virtio_pci", "ext4"))


@pytest.fixture
def stubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "stubs"
    folder.mkdir()
    with tarfile.open(folder / "root.tar", "w") as archive:
        for name, content in FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    apt_get = "#!/bin/sh\necho 'Debian http://user:secret@mirror/debian'\n"
    for name, text in (("mmdebstrap", MMDEBSTRAP), ("apt-get", apt_get), ("apt-config", "#!/bin/sh\n")):
        (folder / name).write_text(text.replace("$STUBS", str(folder)), encoding="utf-8")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def say(stubs: Path, name: str, value: str) -> None:
    """A build gives programs an environment of its own: what they should do is written into them."""
    path = stubs / "mmdebstrap"
    path.write_text(
        path.read_text(encoding="utf-8").replace("[ -z", f"{name}='{value}'\n[ -z", 1), encoding="utf-8"
    )


def asked(stubs: Path) -> list[str]:
    return (stubs / "asked").read_text(encoding="utf-8").splitlines()


def test_an_image_is_built_once(store: Store, recipe: Recipe, stubs: Path) -> None:
    steps = list[Step]()
    image, new = build_image(store, recipe, watch=steps.append)
    assert new
    assert store.find("debian-12-lb") == store.verify("debian-12-lb") == image
    assert (image.guest, image.digest, image.virtual_size) == ("lbkit", recipe.digest, 64 << 20)
    assert image.source["packages"] == {"haproxy": "2.6.12-1"}
    assert image.kernel_path is not None
    assert image.kernel_path.read_bytes() == b"kernel"
    assert image.initrd_path is not None
    initrd = image.initrd_path.read_bytes()
    assert initrd.index(b"modules/00-virtio.ko") < initrd.index(b"modules/01-virtio_pci.ko")
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", image.disk_path], check=True)
    assert {path.name for path in image.folder.iterdir()} == {"disk.qcow2", "vmlinuz", "initrd", "image.json"}
    assert "install packages" in {step.stage for step in steps}
    assert build_image(store, recipe) == (image, False)
    assert len(asked(stubs)) == 1
    assert "secret" not in asked(stubs)[0]
    assert b"secret" not in image.disk_path.read_bytes() + image.as_json()


def test_the_same_packages_make_the_same_image(store: Store, recipe: Recipe, stubs: Path) -> None:
    first, second = (build_image(store, recipe, name=name)[0] for name in ("first", "second"))
    assert [part.sha256 for part in first.parts] == [part.sha256 for part in second.parts]


def test_two_at_once_build_one(store: Store, recipe: Recipe, stubs: Path) -> None:
    news = list[bool]()
    threads = [threading.Thread(target=lambda: news.append(build_image(store, recipe)[1])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(news) == [False, True]
    assert len(asked(stubs)) == 1


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ("E: Unable to locate package nosuch", "Unable to locate package nosuch"),
        ("Err:1 http://user:secret@mirror/debian bookworm InRelease", "http://mirror/debian"),
        ("dpkg: error: cannot write: No space left on device", "no space left"),
    ],
)
def test_a_build_that_fails_says_why_and_keeps_nothing(
    store: Store, recipe: Recipe, stubs: Path, says: str, words: str
) -> None:
    say(stubs, "SAYS", says)
    with pytest.raises(Failure) as caught:
        build_image(store, recipe)
    assert words in caught.value.found
    assert "secret" not in str(caught.value)
    assert caught.value.remedy
    assert list(store.folder.iterdir()) == []


def test_without_apt_it_says_what_to_do(
    store: Store, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failure, match="image add"):
        build_image(store, recipe)


def test_a_killed_build_leaves_no_process_and_what_prune_removes(
    store: Store, recipe: Recipe, stubs: Path
) -> None:
    say(stubs, "HANG", "1")
    code = (
        "import sys; from pathlib import Path; from lbkit.base.host import Host\n"
        "from lbkit.image.building import build_image; from lbkit.image.recipe import recipe_of\n"
        "from lbkit.image.store import Store\n"
        "build_image(Store(Host(image_dir=Path(sys.argv[1]))), recipe_of('debian-12-lb'))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, store.folder])
    while not (stubs / "asked").exists():
        assert process.poll() is None
        time.sleep(0.02)
    assert build_is_alive(store)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while build_is_alive(store):
        time.sleep(0.02)
    assert store.images() == []
    assert len(Store(Host(image_dir=store.folder)).prune([])) == 1


def build_is_alive(store: Store) -> bool:
    """Whether a process has the store's folder in its environment (TMPDIR) or arguments."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                text = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(store.folder).encode() in text:
                return True
    return False
