"""What `AsyncQueue` needs of asyncio, and of loops that go by its rules, such as uvloop's."""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from collections.abc import Coroutine
from typing import Any, Final

from ._async_queue import AsyncQueue, EventLoop, Waiter, Watcher

_SHORTEST_POLL: Final = 0.001
_LONGEST_POLL: Final = 0.016
"""How often to look for results where the loop cannot wait for a descriptor: seconds, doubled while none comes."""


class _Waiter(Waiter):
    __slots__ = ("_future", "_loop", "value")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self._loop.create_future()
        self.value = None

    def set(self, value: object) -> None:
        self.value = value
        if not self._future.done() and not self._loop.is_closed():
            self._future.set_result(None)

    async def wait(self) -> None:
        await self._future

    async def wait_shielded(self) -> None:
        while self.value is None:
            self._future = self._loop.create_future()
            try:
                await self._future
            except asyncio.CancelledError:  # once more; the first one is raised
                continue


class _Watcher(Watcher):
    """Adds the queue's descriptor to the loop, or polls where the loop has no way to do that (Windows' proactor)."""

    __slots__ = ("_delay", "_descriptor", "_is_on", "_loop", "_queue", "_timer")

    def __init__(self, queue: AsyncQueue) -> None:
        # Weak: a client keeps a queue for a loop, and must not keep the loop.
        self._loop = weakref.ref(asyncio.get_running_loop())
        self._queue = weakref.ref(queue)
        self._is_on = False
        self._descriptor = -1
        self._delay = _SHORTEST_POLL
        self._timer: weakref.ref[asyncio.TimerHandle] | None = None

    def start(self) -> None:
        self._delay = _SHORTEST_POLL
        loop, queue = self._loop(), self._queue()
        if self._is_on or loop is None or queue is None:
            return
        # The loop alone keeps the reader, and what it refers to: the queue, and through that the waiting tasks.
        reader = _Reader(self, queue)
        self._descriptor = queue.queue.descriptor()
        try:
            # The context of the first task must not become that of all.
            contextvars.Context().run(loop.add_reader, self._descriptor, reader)
        except NotImplementedError:
            self._descriptor = -1
            self._poll(loop, reader)
        self._is_on = True

    def _poll(self, loop: asyncio.AbstractEventLoop, reader: _Reader) -> None:
        timer = contextvars.Context().run(loop.call_later, self._delay, self._tick, loop, reader)
        self._timer = weakref.ref(timer)

    def _tick(self, loop: asyncio.AbstractEventLoop, reader: _Reader) -> None:
        if self._is_on:
            self._delay = min(2 * self._delay, _LONGEST_POLL)
            self._poll(loop, reader)
            reader()

    def stop(self) -> None:
        loop, timer = self._loop(), None if self._timer is None else self._timer()
        if timer is not None:
            timer.cancel()
        elif self._is_on and loop is not None and not loop.is_closed():
            loop.remove_reader(self._descriptor)
        self._is_on = False

    def stop_if_idle(self) -> None:
        queue = self._queue()
        if queue is None or not queue.queue.waiting:
            self.stop()


class _Reader:
    """What the loop calls when there is something to take. If the loop drops it, the loop has been closed."""

    __slots__ = ("_queue", "_watcher")

    def __init__(self, watcher: _Watcher, queue: AsyncQueue) -> None:
        self._watcher = watcher
        self._queue = queue

    def __call__(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._queue.take()
        except BaseException:
            loop.call_soon(self)  # what was taken before the exception is still to be told
            raise
        finally:
            if not self._queue.queue.waiting:
                # Later: tasks that wake up now may send more.
                loop.call_soon(self._watcher.stop_if_idle)

    def __del__(self) -> None:
        self._queue.abandon()


class _Asyncio(EventLoop):
    def current(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def waiter(self) -> Waiter:
        return _Waiter()

    def watcher(self, queue: AsyncQueue) -> Watcher:
        return _Watcher(queue)

    async def checkpoint(self) -> None:
        await asyncio.sleep(0)

    async def shielded(self, coroutine: Coroutine[Any, Any, None]) -> None:
        running = asyncio.ensure_future(coroutine)
        while not running.done():
            try:
                await asyncio.wait([running])
            except asyncio.CancelledError:  # once more; the first one is raised
                continue


LOOP: Final = _Asyncio()
