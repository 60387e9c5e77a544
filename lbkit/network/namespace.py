"""Named network namespaces, kept as iproute2 keeps them: each mounted on a file in /run/netns.

The file bears the owner mark before the namespace is mounted on it, and `lo` bears it before the namespace
has a name. So a creation or deletion that was killed leaves either nothing or something that says whose it is.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator, Mapping

from lbkit.base import syscalls
from lbkit.base.errors import Failure
from lbkit.base.host import Host
from lbkit.network import sysctl
from lbkit.network.netlink import write
from lbkit.network.netlink.channel import Netlink

_HERE = "/proc/thread-self/ns/net"
_LOOPBACK = 1  # LOOPBACK_IFINDEX


class NamespaceFailure(Failure):
    """The operating system would not do something with a namespace; `errno` says why."""

    def __init__(self, doing: str, name: str, error: OSError) -> None:
        self.errno = error.errno
        super().__init__(
            f"namespace {name} was to be {doing}",
            found=error.strerror or str(error),
            remedy=_REMEDIES.get(error.errno or 0, ""),
        )


_REMEDIES = {
    errno.EPERM: "run as root, or in a sandbox: `lbkit sandbox -- ...`",
    errno.EACCES: "run as root, or in a sandbox: `lbkit sandbox -- ...`",
    errno.ENOSPC: "raise the limit on namespaces: sysctl user.max_net_namespaces",
    errno.EMFILE: "raise the limit on open files: ulimit -n",
}


@contextlib.contextmanager
def entered(host: Host, name: str) -> Iterator[None]:
    """The calling thread, and what it starts, in the namespace `name` for the block; back again after it.

    Sockets opened inside stay inside for good. Other threads are not moved.
    """
    with wandering():
        enter(host, name)
        yield


@contextlib.contextmanager
def wandering() -> Iterator[None]:
    """Whatever namespace the calling thread enters in the block, it is back where it was after it."""
    with here() as home:
        try:
            yield
        finally:
            try:
                syscalls.setns(home, syscalls.CLONE_NEWNET)
            except PermissionError:
                # Who has no right to leave may not "return" either. The block's own error says so.
                if not os.path.samestat(os.fstat(home), os.stat(_HERE)):
                    raise


@contextlib.contextmanager
def here() -> Iterator[int]:
    """A descriptor of the namespace that the calling thread is in, for the block."""
    try:
        descriptor = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise NamespaceFailure("opened", _HERE, error) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def enter(host: Host, name: str) -> None:
    """Move the calling thread, for good; inside `wandering` only."""
    try:
        descriptor = os.open(host.netns_dir / name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            syscalls.setns(descriptor, syscalls.CLONE_NEWNET)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise NamespaceFailure("entered", name, error) from error


def listing(host: Host, prefix: str) -> dict[str, str | None]:
    """Namespaces named `prefix...`: None for one that stands, or the text of a file that nothing is mounted on.

    An empty file is no namespace, and nobody's: `ip netns add` and its like leave one when they are killed.
    """
    found: dict[str, str | None] = {}
    try:
        with os.scandir(host.netns_dir) as entries:
            paths = sorted((entry.name, entry.path) for entry in entries if entry.name.startswith(prefix))
        namespaces = os.stat(_HERE).st_dev
        for name, path in paths:
            status = os.stat(path, follow_symlinks=False)
            if status.st_dev == namespaces:
                found[name] = None
            elif text := _leftover(path, status):
                found[name] = text
    except FileNotFoundError:
        pass  # the folder does not stand yet, or a namespace went while we looked
    except OSError as error:
        raise NamespaceFailure("listed", f"{prefix}* in {host.netns_dir}", error) from error
    return found


def _is_namespace(status: os.stat_result) -> bool:
    """Everything on the kernel's nsfs has one device number, and nothing else has it."""
    return status.st_dev == os.stat(_HERE).st_dev


def _leftover(path: str, status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return "not a file"
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return os.read(descriptor, 300).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def prepare(host: Host) -> None:
    """Make /run/netns a shared mount point, as `ip netns` does: what is mounted there, and unmounted, is seen in
    every mount namespace of the host (those of services included). Idempotent.
    """
    folder = str(host.netns_dir)
    try:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # iproute2 takes the same lock
            try:
                syscalls.mount("", folder, "none", syscalls.MS_SHARED | syscalls.MS_REC)
            except OSError as error:
                if error.errno != errno.EINVAL:  # EINVAL: not a mount point yet
                    raise
                syscalls.mount(folder, folder, "none", syscalls.MS_BIND | syscalls.MS_REC)
                syscalls.mount("", folder, "none", syscalls.MS_SHARED | syscalls.MS_REC)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise NamespaceFailure("made", folder, error) from error


def make(host: Host, name: str, mark: str, sysctls: Mapping[str, str]) -> Netlink:
    """Make the namespace, its `lo` marked and up, and return a socket inside, for the caller to close.

    Within `wandering`, after `prepare`. Finishes what a killed creation left.
    """
    try:
        syscalls.unshare(syscalls.CLONE_NEWNET)
    except OSError as error:
        raise NamespaceFailure("made", name, error) from error
    netlink = Netlink()
    try:
        netlink.carry_out([write.set_link(_LOOPBACK, "lo", alias=mark, up=True)])
        for key, value in sysctls.items():
            sysctl.put(key, value)
        path = str(host.netns_dir / name)
        _make_file(path, mark)
        syscalls.mount(_HERE, path, "none", syscalls.MS_BIND)
    except OSError as error:
        netlink.close()
        raise NamespaceFailure("made", name, error) from error
    except BaseException:
        netlink.close()
        raise
    return netlink


def _make_file(path: str, mark: str) -> None:
    """The file at `path`, which bears the mark from its first moment, whatever kills us."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        pass
    else:
        if _is_namespace(status):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        found = _leftover(path, status)
        if found == mark:
            return
        if found:
            raise FileExistsError(errno.EEXIST, f"a file stands there that says {found[:80]!r}", path)
        os.unlink(path)
    descriptor = os.open(os.path.dirname(path), os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o444)
    try:
        os.write(descriptor, mark.encode())
        # with a folder's descriptor, Python uses linkat(AT_SYMLINK_FOLLOW), which gives a nameless file its name
        os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)
    finally:
        os.close(descriptor)


def unmake(host: Host, name: str) -> None:
    """Take the namespace's name away. It ends with its last process, socket and descriptor. Gone already: nothing."""
    path = str(host.netns_dir / name)
    try:
        while _is_namespace(os.stat(path, follow_symlinks=False)):
            syscalls.unmount(path)
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise NamespaceFailure("deleted", name, error) from error


def trial() -> None:
    """Make a namespace without a name, with a bridge and a port in it, and let it go again: what `doctor` tries."""
    with wandering():
        try:
            syscalls.unshare(syscalls.CLONE_NEWNET)
        except OSError as error:
            raise NamespaceFailure("made", "(without a name)", error) from error
        with here() as descriptor, Netlink() as netlink:
            bridge = write.fresh_index()
            netlink.carry_out(
                [write.bridge(bridge, "lbtrial0", "02:00:00:00:00:01")],
                [
                    write.veth(
                        write.fresh_index(),
                        "lbtrial1",
                        master=bridge,
                        mtu=1500,
                        peer=write.fresh_index(),
                        peer_name="lbtrial2",
                        peer_mac="02:00:00:00:00:02",
                        namespace=descriptor,
                    )
                ],
            )
