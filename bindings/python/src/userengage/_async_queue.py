"""`AsyncQueue`: a queue whose results an event loop takes, while calls are in flight. No thread of Python is needed."""

from __future__ import annotations

import functools
import sys
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Hashable
from typing import Any, Callable

from . import _call, _errors, _native, _result
from ._queue import Queue
from ._result import Result


class Waiter(ABC):
    """Waits for one value, in one task."""

    __slots__ = ()

    value: Any
    """None until it is set."""

    @abstractmethod
    def set(self, value: object) -> None:
        """Gives it the value, which is not None, and ends the wait."""

    @abstractmethod
    async def wait(self) -> None:
        """Waits for the value. Cancelling ends this."""

    @abstractmethod
    async def wait_shielded(self) -> None:
        """Waits for the value, also in a task that is cancelled, once or again."""


class Watcher(ABC):
    """Has an event loop take from a queue whenever there is something to take."""

    __slots__ = ()

    @abstractmethod
    def start(self) -> None:
        """Begins, unless it has begun. It ends by itself when nobody waits for a result any more."""

    @abstractmethod
    def stop(self) -> None:
        """Ends at once."""


class EventLoop(ABC):
    """What is needed of a kind of event loop."""

    __slots__ = ()

    @abstractmethod
    def current(self) -> Hashable:
        """The running loop."""

    @abstractmethod
    def waiter(self) -> Waiter: ...

    @abstractmethod
    def watcher(self, queue: AsyncQueue) -> Watcher: ...

    @abstractmethod
    async def checkpoint(self) -> None:
        """Lets other tasks run."""

    @abstractmethod
    async def shielded(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine to its end, also in a task that is cancelled, once or again."""


def event_loop() -> EventLoop:
    """The kind of the running event loop."""
    sniffio = sys.modules.get("sniffio")
    if sniffio is not None and "trio" in sys.modules and sniffio.current_async_library() == "trio":
        from ._trio import LOOP as TRIO  # noqa: PLC0415

        return TRIO
    from ._asyncio import LOOP as ASYNCIO  # noqa: PLC0415 (a program without asyncio does not load it)

    return ASYNCIO


class AsyncQueue:
    """A queue of one event loop."""

    __slots__ = ("__weakref__", "_loop", "_on_take", "_watcher", "queue")

    queue: Queue

    def __init__(self, queue: Queue, loop: EventLoop) -> None:
        self.queue = queue
        self._loop = loop
        self._on_take: list[Callable[[object], object]] = []
        self._watcher = loop.watcher(self)

    async def send(self, message: _native.Message) -> Result:
        """Sends a message and waits for its result.

        If the wait is cancelled, the message is ended before the exception goes on: nothing is sent any more then, and
        what is known of the message is in its chain.
        """
        waiter = self._loop.waiter()
        number = self.push(message, waiter.set)
        if isinstance(number, Result):
            return number
        try:
            await waiter.wait()
        except BaseException as error:
            self.queue.cancel(number)
            if isinstance(error, GeneratorExit):  # nothing can be awaited any more
                self.queue.finish(number)
            else:
                await waiter.wait_shielded()
            if waiter.value is not None:
                _errors.attach(error, _errors.of_ended(waiter.value))
            raise
        result: Result = waiter.value
        return result

    def push(self, message: _native.Message, on_result: Callable[[Result], object]) -> int | Result:
        """Sends a message without waiting. Returns its number, or the result of one that was refused."""
        number = self.queue.push(message, on_result)
        if not isinstance(number, Result):
            try:
                self._watcher.start()
            except BaseException:
                self.queue.cancel(number)
                self.queue.finish(number)
                raise
        return number

    def take(self) -> None:
        """Takes results that have come. The event loop calls this."""
        try:
            self.queue.take()
        finally:
            told, self._on_take = self._on_take, []
            for tell in told:
                tell(True)

    async def wait(self) -> None:
        """Waits until results have been taken."""
        waiter = self._loop.waiter()
        self._on_take.append(waiter.set)
        await waiter.wait()

    async def finish(self) -> None:
        """Waits, also in a task that is cancelled, until every message has its result."""
        while self.queue.waiting:
            waiter = self._loop.waiter()
            self._on_take.append(waiter.set)
            await waiter.wait_shielded()

    def abandon(self) -> None:
        """Ends every message: the event loop has ended, and nobody takes their results. The log tells of them."""
        if not self.queue.waiting or not self.queue.is_of_this_process or sys.is_finalizing():
            return
        results: list[Result] = []

        def keep(on_result: Callable[[Result], object], result: Result) -> None:
            on_result(result)
            results.append(result)

        for number, on_result in self.queue.waiting.items():
            self.queue.waiting[number] = functools.partial(keep, on_result)
        self.queue.cancel_all()
        self.queue.finish()
        delivered, unknown = _result.count(results)
        _call.LOGGER.error(
            "The event loop was closed while %d messages waited for their outcome. They were cancelled: "
            "%d were delivered, and %d may have been.",
            len(results),
            delivered,
            unknown,
        )

    def stop(self) -> None:
        """Has the event loop take no more."""
        self._watcher.stop()

    def free(self) -> None:
        """Ends the thread of the queue: milliseconds."""
        self.stop()
        self.queue.free()
