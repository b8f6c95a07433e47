"""What `AsyncQueue` needs of trio."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Coroutine
from typing import Any, Final

import trio

from ._async_queue import AsyncQueue, EventLoop, Waiter, Watcher


class _Waiter(Waiter):
    __slots__ = ("_event", "value")

    def __init__(self) -> None:
        self._event = trio.Event()
        self.value = None

    def set(self, value: object) -> None:
        self.value = value
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()

    async def wait_shielded(self) -> None:
        with trio.CancelScope(shield=True):
            await self._event.wait()


class _Watcher(Watcher):
    """Waits for the queue's descriptor in a system task."""

    __slots__ = ("_queue", "_scope")

    def __init__(self, queue: AsyncQueue) -> None:
        self._queue = weakref.ref(queue)
        self._scope: trio.CancelScope | None = None

    def start(self) -> None:
        queue = self._queue()
        if self._scope is None and queue is not None:
            self._scope = trio.CancelScope()
            trio.lowlevel.spawn_system_task(self._read, queue, self._scope, name="userengage")

    async def _read(self, queue: AsyncQueue, scope: trio.CancelScope) -> None:
        try:
            with scope:
                while True:
                    if not queue.queue.waiting:
                        # Tasks that wake up now may send more.
                        await trio.lowlevel.checkpoint()
                        await trio.lowlevel.checkpoint()
                    if not queue.queue.waiting:
                        return
                    await trio.lowlevel.wait_readable(queue.queue.descriptor())
                    try:
                        queue.take()
                    except Exception as error:  # noqa: BLE001 (of a log handler; it would end the whole of trio)
                        sys.excepthook(type(error), error, error.__traceback__)
        finally:
            if self._scope is scope:
                self._scope = None
            queue.abandon()

    def stop(self) -> None:
        if self._scope is not None:
            self._scope.cancel()
            self._scope = None


class _Trio(EventLoop):
    def current(self) -> trio.lowlevel.TrioToken:
        return trio.lowlevel.current_trio_token()

    def waiter(self) -> Waiter:
        return _Waiter()

    def watcher(self, queue: AsyncQueue) -> Watcher:
        return _Watcher(queue)

    async def checkpoint(self) -> None:
        await trio.lowlevel.checkpoint()

    async def shielded(self, coroutine: Coroutine[Any, Any, None]) -> None:
        with trio.CancelScope(shield=True):
            await coroutine


LOOP: Final = _Trio()
