"""Timeouts. HAProxy waits for ever where none is set, lbkit's are always all set: 0 in `raw` takes one away.

Of two that are not set HAProxy takes another one (configuration manual, 4.2): for `queue` that of `connect`, for
`http-keep-alive` that of `http-request`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lbkit.haproxy.importing.fitting import misfit
from lbkit.haproxy.importing.report import Report
from lbkit.haproxy.importing.settings import Proxy
from lbkit.haproxy.importing.values import duration, milliseconds
from lbkit.haproxy.spec.timeouts import Timeouts

_OF = {
    "frontend": ("client", "http-request", "http-keep-alive"),
    "backend": ("connect", "server", "queue", "tunnel"),
}
_OF_HTTP = ("http-request", "http-keep-alive")
_INSTEAD = {"queue": "connect", "http-keep-alive": "http-request"}


@dataclass(slots=True)
class Times:
    """`common`: the load balancer's, in ms; None: not set. `unset`: lines of `raw_defaults` that say so."""

    common: dict[str, int | None] = field(default_factory=dict)

    @property
    def data(self) -> dict[str, str]:
        return {name.replace("-", "_"): duration(ms) for name, ms in self.common.items() if ms is not None}

    @property
    def unset(self) -> list[str]:
        return [f"timeout {name} 0" for name, ms in self.common.items() if ms is None]

    def of(self, proxy: Proxy) -> tuple[dict[str, str], list[str]]:
        """What differs for this one: keys of its `timeouts`, and lines of its `raw`."""
        keys, raw = {}, []
        for name in _names(proxy):
            ms = _effective(proxy, name)
            if ms == self.common.get(name, ms):
                continue
            if ms is None:
                raw.append(f"timeout {name} 0")
            else:
                keys[name.replace("-", "_")] = duration(ms)
        return keys, raw


def times(proxies: Sequence[Proxy], report: Report) -> Times:
    """What most have is the load balancer's."""
    found = Times()
    for name in dict.fromkeys(name for names in _OF.values() for name in names):
        values = [_effective(proxy, name) for proxy in proxies if name in _names(proxy)]
        if values:
            (found.common[name], _), *_ = Counter(values).most_common(1)
    for proxy in proxies:
        for name in _OF[proxy.side]:
            for line in proxy.all(f"timeout {name}")[-1:]:
                if _written(line.words, name) != 0:
                    proxy.taken.add(line.number)
                    report.carried(line, proxy.title, f"timeouts.{name.replace('-', '_')}")
    return found


def _names(proxy: Proxy) -> Iterable[str]:
    return (name for name in _OF[proxy.side] if proxy.mode == "http" or name not in _OF_HTTP)


def _effective(proxy: Proxy, name: str) -> int | None:
    """In ms; None: HAProxy waits for ever, or a line says it that stays in `raw`."""
    line = proxy.last(f"timeout {name}")
    if line is not None:
        ms = _written(line.words, name)
        return ms or None
    return _effective(proxy, _INSTEAD[name]) if name in _INSTEAD else None


def _written(words: Sequence[str], name: str) -> int:
    """0 where the language has no such time."""
    ms = milliseconds(words[2]) if len(words) == 3 else None
    return 0 if not ms or misfit(Timeouts, name.replace("-", "_"), ms / 1000) else ms
