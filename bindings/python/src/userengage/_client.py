"""`Client`: sends a message and waits for what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _call, _convert, _many
from ._base_client import BaseClient
from ._many import Progress
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
    ) -> Result:
        """Sends one message and waits for its outcome, at most the client's `timeout`.

        Many threads may call it at once; other threads run while it waits. Ctrl-C, or any other exception of a signal
        handler, ends the call. The `__context__` of that exception says what is known of the message. It is None if
        nothing was sent yet, or if the message had just been delivered.

        Args:
            client_user_id: Who gets the message: an int, or any str but "", "." and "..".
            content: Text or HTML.
            user: The id of the agent who writes. Default: none given.
            source: A `Source`, or another positive number. Default: none given.
            source_context: Additional fields: a mapping or a list that can be written as JSON. Default: none given.

        Returns:
            The details of the delivery. Returns only if the message was delivered.

        Raises:
            InvalidArgumentError: An argument cannot be used; nothing was sent.
            Error: The message was not delivered, or its delivery is unknown: see `delivery`. Each kind of failure has
                its own class.
            TypeError: An argument is of a wrong type; nothing was sent.
        """
        return self._send(_convert.message(client_user_id, content, user, source, source_context), _call.Call())

    def send_conversations(
        self, messages: Iterable[Message | Mapping[str, Any]], *, progress: Progress = False
    ) -> list[Result]:
        """Sends many messages, over at most `max_connections` connections at once, and waits for all.

        Messages to one user keep their order. Retries are as for single messages. The `timeout` of a message starts
        when its turn comes: a low rate limit or a long pause makes the call long, but fails no message.

        Args:
            messages: Each a `Message`, or a mapping of its fields. They are read and sent in steps of 1000, so a
                generator may have any length.
            progress: A function that is called with the number of messages done; or True for a bar, if tqdm is
                installed.

        Returns:
            The outcome of each message, in the order of the messages. A message that was not delivered does not raise
            here: look at `delivery` and `message` of each. A message with an argument that cannot be used has the
            status INVALID_ARGUMENT.

        Raises:
            BaseException: The exception of a signal handler (KeyboardInterrupt), of `messages` or of `progress`. It
                ends the sending. Its `__context__` is a `CancelledError` whose `results` hold the outcomes so far.
            TypeError: `messages` or `progress` is of a wrong type; nothing was sent.
        """
        _many.check(messages, progress)
        results: list[Result] = []
        with _many.kept(results), _many.shown(progress, messages) as tell:
            for step in _many.steps(messages, results):
                _many.send(self._handle, step, _call.Call(), tell, results)
        return results

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
