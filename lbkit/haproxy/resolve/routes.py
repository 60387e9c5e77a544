"""Where a frontend sends what comes in: backends that there are, of its mode, and routes that do not contradict."""

from __future__ import annotations

from dataclasses import dataclass

from lbkit.base.problems import Path, dotted, near
from lbkit.engine.scope import Draft
from lbkit.haproxy.routing import action, entries
from lbkit.haproxy.spec.balancer import LoadBalancer
from lbkit.haproxy.spec.frontend import Frontend


@dataclass(frozen=True, slots=True)
class Routes:
    spec: LoadBalancer
    path: Path
    draft: Draft

    def check(self, frontend: Frontend, path: Path) -> None:
        if frontend.backend is not None:
            self._backend(frontend.backend, frontend, (*path, "backend"))
        for index, route in enumerate(frontend.routes or ()):
            here = (*path, "routes", index)
            if route.is_http != (frontend.mode == "http"):
                wanted = "host, path or headers, as" if frontend.mode == "http" else "sni, as"
                self.draft.problems.add(
                    here,
                    f"conditions of {frontend.mode} mode: {wanted} this frontend is of it",
                    found="sni" if route.sni else "conditions that only a request can meet",
                )
            if route.backend is not None:
                self._backend(route.backend, frontend, (*here, "backend"))
        self._one_answer(frontend, path)

    def _one_answer(self, frontend: Frontend, path: Path) -> None:
        seen: dict[tuple[str, str], int] = {}
        told: set[tuple[int, int]] = set()
        routes = frontend.routes or ()
        for entry in entries(routes):
            first = seen.setdefault((entry.table, entry.key), entry.route)
            if first != entry.route and (first, entry.route) not in told:
                told.add((first, entry.route))
                self.draft.problems.add(
                    (*path, "routes", entry.route),
                    "a route for what no other one is for",
                    found=f"{dotted((*path, 'routes', first))} is for the same ({action(routes[first])})",
                    remedy="leave one of them out",
                )

    def _backend(self, name: str, frontend: Frontend, place: Path) -> None:
        backend = self.spec.backends.get(name)
        if backend is None:
            if not self.draft.is_broken(*self.path, "backends", name):
                self.draft.problems.add(
                    place,
                    "a backend of this load balancer",
                    found=name,
                    remedy=near(name, self.spec.backends),
                )
        elif backend.mode is not None and backend.mode != frontend.mode:
            self.draft.problems.add(
                place,
                f"a backend of mode {frontend.mode}, as this frontend",
                found=f"backends.{name} is of mode {backend.mode}",
                remedy="give both the same mode",
            )
