"""The services of a group with their files read."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from lbkit.base.errors import Mistake
from lbkit.base.files import read_given
from lbkit.base.problems import Path as Place
from lbkit.base.secrets import Secret, read_secret_file
from lbkit.engine.scope import Draft
from lbkit.machine.resolved import COMMISSIONED, ResolvedFile, ResolvedService
from lbkit.machine.spec import Content, Group, Service

MOST_SOURCE_BYTES = 4 << 20
RESERVED_NAMES = ("haproxy-", "vip-", *COMMISSIONED)  # of what other rooms run on machines
LOG = "log"  # that lbkit itself keeps in a service's folder (machine/netns/place.py)

Sources = dict[tuple[Path, bool], bytes | Secret]
"""Files that were read, by path and whether as a secret: many machines share one."""


def services_of(name: str, group: Group, sources: Sources, draft: Draft) -> tuple[ResolvedService, ...]:
    seen: set[str] = set()
    services = []
    for index, service in enumerate(group.run):
        path = ("machines", name, "run", index)
        if service.name in seen:
            draft.problems.add(
                (*path, "name"),
                "a name of its own for each service of a machine",
                found=f"two {service.name}",
            )
        seen.add(service.name)
        if service.name.startswith(RESERVED_NAMES):
            draft.problems.add(
                (*path, "name"),
                f"a name that does not begin with {' or '.join(RESERVED_NAMES)}: load balancers and mirrors run under those",
                found=service.name,
            )
        services.append(_resolved(service, (*path, "files"), sources, draft))
    return tuple(services)


def _resolved(service: Service, path: Place, sources: Sources, draft: Draft) -> ResolvedService:
    _check_places(service, path, draft)
    files: dict[str, ResolvedFile] = {}
    for place, file in service.files.items():
        try:
            content = content_of(file, sources, draft.folder)
        except Mistake as error:
            where = (*path, place, "source")
            draft.problems.add(where, error.wanted, found=error.found, remedy=error.remedy)
            continue
        files[place] = ResolvedFile(content, int(file.mode, 8), file.once)
    return ResolvedService(
        name=service.name,
        command=service.command,
        environment=dict(service.environment),
        files=files,
        check=service.check,
        reload=service.reload,
        user=service.user,
        ready=service.ready,
        stop_timeout=service.stop_timeout,
    )


def _check_places(service: Service, path: Place, draft: Draft) -> None:
    for place in service.files:
        if place.split("/")[0] == LOG:
            draft.problems.add(
                (*path, place), f"another name than {LOG}: that is the service's log", found=place
            )
    # in this order a folder stands right before the first file in it
    for outer, inner in pairwise(sorted(service.files, key=lambda place: place.split("/"))):
        if inner.startswith(f"{outer}/"):
            draft.problems.add(
                (*path, inner), "a place beside the other files", found=f"{outer} is a file, no folder"
            )


def content_of(file: Content, sources: Sources, folder: Path) -> bytes | Secret:
    """Mistake where its source cannot be read."""
    if file.source is None:
        content = (file.content or "").encode()
        return Secret(content) if file.secret else content
    key = (folder / file.source, file.secret)
    if key not in sources:
        sources[key] = (
            read_secret_file(key[0])
            if file.secret
            else read_given(key[0], "the source file", most=MOST_SOURCE_BYTES)[0]
        )
    return sources[key]
