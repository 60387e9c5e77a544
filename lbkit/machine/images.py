"""Images of virtual machines on this host, without a topology: built, added, or gone.

>>> import lbkit
>>> wanted = lbkit.images.Built("debian-12-lb")
>>> lbkit.images.plan(wanted)
>>> lbkit.images.apply(wanted)
"""

from __future__ import annotations

from importlib.util import find_spec

from lbkit.base.host import Host
from lbkit.engine.plan import Plan
from lbkit.image import direct
from lbkit.image.direct import Absent, Added, Built, Use, Wanted
from lbkit.image.image import Image
from lbkit.image.progress import Watch, unwatched
from lbkit.image.store import LOCK_TIMEOUT, Store

__all__ = ["Absent", "Added", "Built", "apply", "find", "plan", "use"]


def plan(wanted: Wanted, host: Host | None = None) -> Plan:
    """What is to be done until the image is there, or gone. Changes nothing."""
    return direct.plan(wanted, Store(host or Host()), _use(wanted))


def apply(
    wanted: Wanted,
    host: Host | None = None,
    *,
    promised: Plan | None = None,
    watch: Watch = unwatched,
    lock_timeout: float = LOCK_TIMEOUT,
) -> Plan:
    """Do it. `lock_timeout`: seconds to wait for another one who makes an image of that name."""
    store = Store(host or Host())
    return direct.apply(
        wanted, store, _use(wanted), promised=promised, watch=watch, lock_timeout=lock_timeout
    )


def find(wanted: Wanted, host: Host | None = None) -> Image | None:
    """The image, where it is there."""
    return direct.found(wanted, Store(host or Host()))


def use() -> Use:
    """By image the machines of this host's libvirt that stand on it. Without libvirt's binding there are none."""
    if find_spec("libvirt") is None:
        return Use({})
    from lbkit.hypervisor.failures import LibvirtFailed  # noqa: PLC0415 - brings libvirt
    from lbkit.machine.libvirt.images_used import images_used  # noqa: PLC0415

    try:
        return Use(images_used())
    except LibvirtFailed as error:
        return Use({}, f"which images machines stand on is not known: {error.found}")


def _use(wanted: Wanted) -> Use:
    return use() if isinstance(wanted, Absent) else Use({})
