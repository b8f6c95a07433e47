"""`Client`: sends a message and waits for what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _batch, _call, _convert
from ._base_client import BaseClient
from ._batch import OnResult, Progress
from ._queue import FROM_TURN
from ._result import Result
from ._types import ClientUserId, Message, SourceContext

if TYPE_CHECKING:
    from typing_extensions import Self


class Client(BaseClient):
    """Sends messages to UserEngage. Share one among any number of threads: it has a pool of connections.

        with Client("<your_64_char_api_key>") as client:
            client.send_conversation(42, "Hi <b>user</b>, enjoy our product!")

    After a fork the child can use it too; it opens its own connections. Options: see `__init__`.
    """

    __slots__ = ()

    def send_conversation(
        self,
        client_user_id: ClientUserId,
        content: str,
        *,
        user: int | None = None,
        source: int | None = None,
        source_context: SourceContext | None = None,
        timeout: float | None = None,
    ) -> Result:
        """Sends one message and waits for its outcome, at most `timeout`.

        Many threads may call it at once; other threads run while it waits. Ctrl-C, or any other exception of a signal
        handler, ends the call. The `__context__` of that exception, or of the last one in its chain, is an `Error` that
        says what is known of the message.

        Args:
            client_user_id: Who gets the message: an int, or any str but "", "." and "..".
            content: Text or HTML.
            user: The id of the agent who writes. Default: none given.
            source: A `Source`, or another positive number. Default: none given.
            source_context: Additional fields: a mapping or a list that can be written as JSON. Default: none given.
            timeout: The deadline: seconds for the whole call. Default: the client's `timeout`.

        Returns:
            The details of the delivery. Returns only if the message was delivered.

        Raises:
            InvalidArgumentError: An argument cannot be used; nothing was sent.
            Error: The message was not delivered, or its delivery is unknown: see `delivery`, and `retry` for what to
                do. Each kind of failure has its own class, and is a `RetryableError`, a `PermanentError` or an
                `UncertainError`, too.
            TypeError: An argument is of a wrong type; nothing was sent.
        """
        message = _convert.message(client_user_id, content, user, source, source_context, timeout)
        return self._send(message, _call.Call())

    def send_conversations(
        self,
        messages: Iterable[Message | Mapping[str, Any]],
        *,
        on_result: OnResult | None = None,
        progress: Progress = False,
        max_failures_in_a_row: int | None = None,
    ) -> list[Result]:
        """Sends many messages, over at most `max_connections` connections at once, and waits for all.

        Messages to one user keep their order. Retries are as for single messages. The `timeout` of a message starts
        when its turn comes: a low rate limit or a long pause makes the call long, but fails no message.

        Args:
            messages: Each a `Message`, or a mapping of its fields. A generator may have any length: no more are read
                than may be on their way.
            on_result: A function that is called with the index and the `Result` of each message as soon as it is known,
                on this thread: a program that notes it down knows what it sent. It returns None to go on, or a
                `BatchFlow`. At most `max_connections` + max(`max_connections`, 8) messages, 16 by default, are on their
                way or not yet told: so many are not noted if the program is killed. After an exception, such as
                KeyboardInterrupt, the outcomes that were not told are told before it goes on: also again the one that
                was just being told, unless an `Exception` came from there. What `on_result` returns then does nothing;
                what it raises goes to the log.
            progress: A function that is called with the number of messages done; or True for a bar, if tqdm is
                installed.
            max_failures_in_a_row: After so many failures in a row that are no fault of a message (the delivery is
                unknown, no connection, 401, 403, 429, 5xx) no further message is begun: with 10, an outage makes ten
                unknown messages, or `max_connections` if that is more, not ten thousand. Default: no limit.

        Returns:
            The outcome of each message, in the order of the messages. A message that was not delivered does not raise
            here: look at `retry` and `message` of each. A message with an argument that cannot be used has the status
            INVALID_ARGUMENT. After an early end (`BatchFlow`, `max_failures_in_a_row`, `close`) the further messages of
            a list are CANCELLED, SUSPENDED or CLOSED; those of an iterator are not read, and have no outcome.

        Raises:
            BaseException: The exception of a signal handler (KeyboardInterrupt), of `on_result` or of `progress`. It
                ends the messages in flight. That of `messages` is raised when the messages before it are finished. In
                the chain of `__context__` of these is a `CancelledError` whose `results` hold the outcome of each
                message that was read.
            ClosedError: The client was closed before the call; nothing was sent.
            ConnectError: The process has run out of descriptors; nothing was sent.
            TypeError: An argument is of a wrong type; nothing was sent. Or `on_result` returned something else than
                None or a `BatchFlow`: this is raised as what `messages` raises is, and no further message is begun.
        """
        _batch.check(messages, on_result, progress)
        _batch.check_is_sync(on_result)
        queue = self._new_queue(FROM_TURN, max_failures_in_a_row)
        batch = _batch.Batch(queue, messages, on_result, progress, queue.push, self._ahead)
        return _batch.send(batch, messages)

    def close(self) -> None:
        """Ends the calls in flight in other threads, and every later one, with `ClosedError`. Does not wait."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
