"""The room of mirrors: the section `mirrors`. It has no resource of its own: machines run what it commissions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from lbkit.base.host import Host
from lbkit.engine.resource import Key
from lbkit.engine.room import RoomWithoutResources
from lbkit.engine.scope import Draft, Scope
from lbkit.engine.view import Check, Finding, Picture, Status
from lbkit.mirror.resolve import resolve
from lbkit.mirror.resolved import Mirrors
from lbkit.mirror.spec import Mirrors as Section
from lbkit.mirror.things import things


class MirrorRoom(RoomWithoutResources[Section]):
    name = "mirror"
    section = "mirrors"
    nouns = frozenset({"mirror"})

    @property
    def model(self) -> type[Section]:
        return Section

    def resolve(self, section: Section, draft: Draft) -> Mirrors:
        return resolve(section, draft)

    def things(self, scope: Scope, keys: Collection[Key]) -> Mapping[str, frozenset[Key]]:
        return things(scope.of("mirror", Mirrors), keys)

    def notes(self, scope: Scope, host: Host) -> Iterable[str]:
        for mirror in scope.of("mirror", Mirrors).by_name.values():
            if mirror.declared.path is not None:
                yield f"mirrors.{mirror.name}: its data in {mirror.declared.path} of each machine stays when it is destroyed"

    def status(self, scope: Scope, host: Host) -> Iterable[Status]:
        if not scope.of("mirror", Mirrors).by_name:
            return ()
        from lbkit.mirror.view import status  # noqa: PLC0415 - asks the keepers

        return status(scope, host)

    def picture(self, scope: Scope) -> Picture:
        if not scope.of("mirror", Mirrors).by_name:
            return Picture()
        from lbkit.mirror.view import picture  # noqa: PLC0415

        return picture(scope)

    def explain(self, scope: Scope, host: Host, path: Sequence[str]) -> Sequence[Finding] | None:
        """`debian`, or `debian/mirror-2`."""
        if not scope.of("mirror", Mirrors).by_name:
            return None
        from lbkit.mirror.view import explain  # noqa: PLC0415 - asks the keepers

        return explain(scope, host, path)

    def explainable(self, scope: Scope) -> Iterable[str]:
        for mirror in scope.of("mirror", Mirrors).by_name.values():
            yield mirror.name
            yield from (f"{mirror.name}/{node}" for node in mirror.nodes)

    def alarms(self, scope: Scope, host: Host) -> Mapping[str, str]:
        if not scope.of("mirror", Mirrors).by_name:
            return {}
        from lbkit.mirror.view import alarms  # noqa: PLC0415 - asks the keepers

        return alarms(scope, host)

    def doctor(self, host: Host) -> Iterable[Check]:
        from lbkit.machine.local.launch import ENVIRONMENT  # noqa: PLC0415
        from lbkit.mirror.fit.programs import program  # noqa: PLC0415 - starts programs

        for name in ("rsync", "nginx", "curl"):
            found = program(name, search=ENVIRONMENT["PATH"])
            remedy = "" if found.good else f"{found.remedy} (for a topology with mirrors)"
            yield Check(f"{name} (mirrors)", found.good, found.found, remedy, needed=False)


ROOM = MirrorRoom()
