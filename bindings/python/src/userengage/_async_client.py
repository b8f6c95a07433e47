"""`AsyncClient`: sends messages from asyncio or trio."""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _batch, _convert, _errors
from ._async_queue import AsyncQueue, EventLoop, event_loop
from ._base_client import BaseClient
from ._batch import Batch, OnResult, Progress
from ._queue import FROM_PUSH, FROM_TURN
from ._result import Result
from ._types import ClientUserId, Message, SourceContext

if TYPE_CHECKING:
    from typing_extensions import Self


class AsyncClient(BaseClient):
    """Sends messages to UserEngage from asyncio, uvloop or trio. Share one among any number of tasks and event loops.

        async with AsyncClient("<your_64_char_api_key>") as client:
            await client.send_conversation(42, "Hi <b>user</b>, enjoy our product!")

    Any number of calls may wait at once. In each event loop at most `max_connections` of them are in flight; messages
    to one user are sent one after the other. Cancelling ends a call at once. Options: see `__init__`.
    """

    __slots__ = ("_open", "_queues")

    def _begin(self) -> None:
        self._queues: weakref.WeakKeyDictionary[Hashable, AsyncQueue] = weakref.WeakKeyDictionary()
        self._open: weakref.WeakKeyDictionary[AsyncQueue, weakref.ref[Hashable]] = weakref.WeakKeyDictionary()

    async def send_conversation(
        self,
        client_user_id: ClientUserId,
        content: str,
        *,
        user: int | None = None,
        source: int | None = None,
        source_context: SourceContext | None = None,
        timeout: float | None = None,
    ) -> Result:
        """Sends one message and waits for its outcome. The `timeout` starts now, and includes the wait for a turn.

        Cancelling ends the call at once. When the exception (`asyncio.CancelledError`, `trio.Cancelled`) is raised,
        nothing is sent any more. The `__context__` of that exception, or of the last one in its chain, is an `Error`
        that says what is known of the message: its `delivery` is `Delivery.DELIVERED` if it was delivered all the same.

        Arguments, result and exceptions are those of `Client.send_conversation`.
        """
        message = _convert.message(client_user_id, content, user, source, source_context, timeout)
        result = await self._queue().send(message)
        if result.status:  # OK is 0
            raise _errors.of(result)
        return result

    async def send_conversations(
        self,
        messages: Iterable[Message | Mapping[str, Any]],
        *,
        on_result: OnResult | None = None,
        progress: Progress = False,
        max_failures_in_a_row: int | None = None,
    ) -> list[Result]:
        """Sends many messages, over at most `max_connections` connections of its own at once, and waits for all.

        `on_result` and `progress` are called in this task. `on_result` may be an async function: it is awaited, and
        while it takes long, no further messages are read. `messages` is no async iterable.

        Cancelling ends the messages in flight, and waits for `on_result` to be told of those: in asyncio in a task of
        its own, in trio in a shielded scope. In the chain of `__context__` of the exception is a
        `userengage.CancelledError` whose `results` hold the outcome of each message that was read. If the coroutine is
        closed instead, nothing can be awaited any more: an async `on_result` is not told, which goes to the log.

        Arguments, results and exceptions are those of `Client.send_conversations`.
        """
        _batch.check(messages, on_result, progress)
        loop = event_loop()
        queue = self._new_async_queue(loop, FROM_TURN, max_failures_in_a_row)
        source = iter(messages)
        with Batch(queue.queue, messages, on_result, progress, queue.push, self._ahead) as batch:
            try:
                await _send(batch, source, queue, loop)  # a function of its own: see _batch.send
            except GeneratorExit:  # nothing can be awaited any more
                raise
            except BaseException as error:
                queue.queue.cancel_all()
                await queue.finish()
                await loop.shielded(_tell_rest(batch, error))
                raise
            finally:
                queue.stop()
            return batch.end()

    def _queue(self) -> AsyncQueue:
        """The queue of the running event loop."""
        loop = event_loop()
        queue = self._queues.get(loop.current())
        if queue is None or not queue.queue.is_of_this_process:
            queue = self._queues[loop.current()] = self._new_async_queue(loop, FROM_PUSH)
        return queue

    def _new_async_queue(
        self, loop: EventLoop, timeout_from: int, max_failures_in_a_row: int | None = None
    ) -> AsyncQueue:
        queue = AsyncQueue(self._new_queue(timeout_from, max_failures_in_a_row), loop)
        self._open[queue] = weakref.ref(loop.current())
        return queue

    async def aclose(self) -> None:
        """Ends the calls in flight, and every later one, with `ClosedError`. Then ends this event loop's queue."""
        self._close()
        here = event_loop().current()
        for queue, loop in list(self._open.items()):
            if loop() is here and queue.queue.is_of_this_process:
                await queue.finish()
        own = self._queues.pop(here, None)
        if own is not None:
            own.free()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


async def _send(
    batch: Batch, source: Iterator[Message | Mapping[str, Any]], queue: AsyncQueue, loop: EventLoop
) -> None:
    is_read = False
    while not (is_read and batch.is_done):
        while not is_read and batch.has_room:
            is_read = batch.read(source)
        is_busy = bool(batch.news)
        while batch.news:
            flow = batch.tell()
            batch.heed(await flow if hasattr(flow, "__await__") else flow)
        await (queue.wait() if queue.queue.waiting and not is_busy else loop.checkpoint())
        batch.check_process()


async def _tell_rest(batch: Batch, raised: BaseException) -> None:
    """Tells the outcomes that an exception has left untold."""
    for index in batch.rest(raised):
        try:
            flow = batch.tell_of(index)
            if hasattr(flow, "__await__"):
                await flow
        except GeneratorExit:  # nothing can be awaited any more
            raise
        except BaseException as error:  # noqa: BLE001 (another one is on its way)
            _batch.log_untold(index, error)
