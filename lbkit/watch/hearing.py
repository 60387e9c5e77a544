"""Wait for a time, or until something says that it is worth a look: the rooms' events, and a bell of our own."""

from __future__ import annotations

import selectors
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self

from lbkit.base.errors import LbkitError
from lbkit.engine.events import Bell, Events

Sources = Mapping[str, AbstractContextManager[Events]]


class Hearing:
    """`bell` may be rung by any thread, and by a signal's handler. Of use once, as a context manager."""

    def __init__(self, bell: Bell) -> None:
        self._selector = selectors.DefaultSelector()
        self._selector.register(bell.fileno(), selectors.EVENT_READ, ("", bell))
        self._open: dict[str, tuple[ExitStack, int]] = {}

    def listen(self, sources: Sources) -> dict[str, LbkitError]:
        """Open those of `sources` that are not open; why some could not be, by name."""
        failed: dict[str, LbkitError] = {}
        for name, source in sources.items():
            if name in self._open:
                continue
            with ExitStack() as stack:
                try:
                    events = stack.enter_context(source)
                except LbkitError as error:
                    failed[name] = error
                    continue
                descriptor = events.fileno()
                self._selector.register(descriptor, selectors.EVENT_READ, (name, events))
                self._open[name] = (stack.pop_all(), descriptor)
        return failed

    def wait(self, seconds: float) -> list[str]:
        """At most so long; what was heard. A source that fell silent for good is heard too, and can be opened anew."""
        return [word for key, _ in self._selector.select(max(0.0, seconds)) for word in self._read(*key.data)]

    def _read(self, name: str, events: Events) -> Iterator[str]:
        try:
            heard = list(events.read())
        except LbkitError as error:
            self._close(name)
            heard = [f"{name} tells no more: {error.found or error.wanted}"]
        yield from heard

    def drop(self) -> None:
        """Listen to no room any more: they are to be opened for another topology's file."""
        for name in list(self._open):
            self._close(name)

    def _close(self, name: str) -> None:
        stack, descriptor = self._open.pop(name)
        self._selector.unregister(descriptor)
        stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.drop()
        self._selector.close()
