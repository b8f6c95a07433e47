"""`AsyncClient`: sends messages from asyncio."""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable

from . import _call, _convert, _many
from ._base_client import BaseClient
from ._many import Progress
from ._result import Result
from ._threads import Threads
from ._types import ClientUserId, Message, SourceContext

if TYPE_CHECKING:
    from typing_extensions import Self


class AsyncClient(BaseClient):
    """Sends messages to UserEngage from asyncio. Share one among any number of tasks of an event loop.

        async with AsyncClient("<your_64_char_api_key>") as client:
            await client.send_conversation(42, "Hi <b>user</b>, enjoy our product!")

    At most `max_connections` messages are in flight at once, each on a thread of the client. Further ones wait for
    their turn; their `timeout` starts when it comes. Options: see `__init__`.
    """

    __slots__ = ("_threads",)

    def _begin(self, max_connections: int) -> None:
        self._threads = Threads(max_connections)
        weakref.finalize(self, self._threads.stop).atexit = False

    async def send_conversation(
        self,
        client_user_id: ClientUserId,
        content: str,
        *,
        user: int | None = None,
        source: int | None = None,
        source_context: SourceContext | None = None,
    ) -> Result:
        """Sends one message and waits for its outcome.

        Cancelling ends the call within 0.1 s. Nothing is sent after `asyncio.CancelledError` was raised. Its
        `__context__` is a `userengage.CancelledError` that says what is known of the message. It is None if nothing
        was sent yet, or if the message had just been delivered.

        Arguments, result and exceptions are those of `Client.send_conversation`.
        """
        message = _convert.message(client_user_id, content, user, source, source_context)
        call = _call.Call()
        result: Result = await self._run(functools.partial(self._send, message, call), call)
        return result

    async def send_conversations(
        self, messages: Iterable[Message | Mapping[str, Any]], *, progress: Progress = False
    ) -> list[Result]:
        """Sends many messages, over at most `max_connections` connections at once, and waits for all.

        Cancelling ends the sending within 0.1 s. The `__context__` of the `asyncio.CancelledError` is a
        `userengage.CancelledError`; its `results` hold the outcome of each message.

        Arguments, results and exceptions are those of `Client.send_conversations`; `progress` is called on the
        event loop.
        """
        _many.check(messages, progress)
        results: list[Result] = []
        loop = asyncio.get_running_loop()

        def tell_loop(done: int) -> None:
            loop.call_soon_threadsafe(tell, done)

        with _many.kept(results), _many.shown(progress, messages) as tell:
            for step in _many.steps(messages, results):
                call = _call.Call()
                await self._run(functools.partial(_many.send, self._handle, step, call, tell_loop, results), call)
        return results

    async def _run(self, function: Callable[[], Any], call: _call.Call) -> Any:
        """Runs `function`, which makes `call`, on a thread of the client."""
        if self._threads.stopped:
            return function()  # a closed client answers at once
        job = self._threads.start(function)
        try:
            await asyncio.wait((job.future,))
        except asyncio.CancelledError as cancelled:
            if not job.drop():
                call.cancel()
                await asyncio.wait((job.future,))
                cancelled.__context__ = job.future.exception()
            raise
        return job.future.result()

    async def aclose(self) -> None:
        """Ends the calls in flight, and every later one, with `ClosedError`. Then ends the client's threads."""
        self._close()
        unfinished = [future for future in self._threads.unfinished if future.get_loop() is asyncio.get_running_loop()]
        self._threads.stop()
        if unfinished:
            await asyncio.wait(unfinished)
        self._threads.join()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
