"""`Batch`: many messages on their way through a queue of their own. It waits for nothing: that is the client's part."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sized
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Final, Union

from . import _call, _convert, _errors, _native, _result
from ._queue import Queue
from ._result import Delivery, Result, Retry, Status
from ._types import BatchFlow, Message

if TYPE_CHECKING:
    from typing_extensions import Self

Progress = Union[bool, Callable[[int], object]]
OnResult = Callable[[int, Result], object]
_LEAST_READY: Final = 8
"""How many messages are kept ready beside those in flight, if there are fewer connections than this."""

_REFUSES_ALL: Final = (Status.CLOSED, Status.SUSPENDED)
_ELSEWHERE: Final = _result.not_sent(
    Status.CANCELLED,
    "This process is a copy that fork() made during the call, which goes on in the parent. Whether the message was "
    "delivered is unknown. The parent gets the outcome.",
    delivery=Delivery.UNKNOWN,
    retry=Retry.DECIDE,
)


class Batch:
    """Reads messages, pushes them, and tells the outcome of each. A `with` that is left early ends the messages."""

    __slots__ = (
        "_ahead",
        "_count",
        "_ending",
        "_failure",
        "_is_telling",
        "_on_result",
        "_outcomes",
        "_progress",
        "_push_message",
        "_stack",
        "_untold",
        "news",
        "queue",
    )

    queue: Queue

    news: deque[int]
    """The indexes of the messages whose outcome is to be told."""

    _ending: Result | None
    """If no further message is begun: the outcome of those."""

    _untold: set[int]
    """The indexes of the messages that were read, and whose outcome was not told."""

    def __init__(
        self,
        queue: Queue,
        messages: object,
        on_result: OnResult | None,
        progress: Progress,
        push: Callable[[_native.Message, Callable[[Result], object]], int | Result],
        ahead: int,
    ) -> None:
        self.queue = queue
        self._push_message = push
        self._ahead = ahead
        self._count = len(messages) if isinstance(messages, Sized) else None
        self._on_result = on_result
        self._progress: Callable[[int], object] | None = None
        self._outcomes: list[Result | None] = []
        self._ending = None
        self._failure: Exception | None = None
        self._is_telling = False
        self._untold = set()
        self._stack = contextlib.ExitStack()
        if callable(progress):
            self._progress = progress
        elif progress and importlib.util.find_spec("tqdm"):
            bar = self._stack.enter_context(
                importlib.import_module("tqdm.auto").tqdm(total=self._count, unit="message")
            )
            self._progress = lambda done: bar.update(done - bar.n)
        self.news = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        raised = exc_value
        is_over = False
        while not is_over:
            try:
                if raised is not None:
                    self.queue.cancel_all()
                    self.queue.finish()
                    self._tell_rest(raised)
                self.queue.free()
                self._stack.close()
                if raised is not None:
                    _errors.attach(raised, _errors.of_batch(self.results))
                is_over = True
            except BaseException as error:  # noqa: BLE001 (a signal handler's; the first one is raised)
                raised = raised or error
        if raised is not None and raised is not exc_value:
            raise raised

    @property
    def results(self) -> list[Result]:
        """The outcomes of the messages that were read, in their order."""
        return [outcome or _ELSEWHERE for outcome in self._outcomes]

    def end(self) -> list[Result]:
        """Returns the results, or raises what `messages` has raised, or that `on_result` returned no `BatchFlow`."""
        failure, self._failure = self._failure, None
        if failure is None:
            return self.results
        try:
            raise failure
        finally:
            del failure  # breaks a cycle: the traceback refers to this frame

    @property
    def is_done(self) -> bool:
        """Whether all messages that were read have their outcome, and all outcomes were told."""
        return not self.queue.waiting and not self.news

    @property
    def has_room(self) -> bool:
        """Whether one more message may be sent: a program that is killed does not know what became of the untold."""
        return len(self._untold) < self._ahead

    def read(self, source: Iterator[Message | Mapping[str, Any]]) -> bool:
        """Reads a message and pushes it. Returns whether there are no more to read.

        After an end, those of an iterator stay where they are, and those of a list get their outcome.
        """
        if self._ending is not None and self._count is None:
            return True
        try:
            message = next(source)
        except StopIteration:
            return True
        except Exception as error:  # noqa: BLE001 (raised when the messages before it are finished)
            self._failure = self._failure or error
            return True
        self._push(message)
        return False

    def _push(self, message: Message | Mapping[str, Any]) -> None:
        """Sends a message that was read. One that cannot be sent has its outcome at once."""
        index = len(self._outcomes)
        self._untold.add(index)  # first: a signal after it leaves nothing out
        self._outcomes.append(_result.NOT_BEGUN)
        reference = _reference(message)
        outcome: int | Result | None = self._ending
        if outcome is None:
            try:
                outcome = self._push_prepared(index, _prepare(message), reference)
            except (TypeError, _errors.InvalidArgumentError) as error:
                outcome = _result.invalid(str(error))
        if isinstance(outcome, Result):
            if outcome.status in _REFUSES_ALL:
                self._ending = outcome
            self._finish(index, outcome, reference)

    def _push_prepared(self, index: int, message: _native.Message, reference: object) -> int | Result:
        self._outcomes[index] = None
        return self._push_message(message, lambda result: self._finish(index, result, reference))

    def _finish(self, index: int, result: Result, reference: object) -> None:
        """Keeps an outcome, to be told."""
        self._outcomes[index] = result if reference is None else result._replace(reference=reference)
        self.news.append(index)

    def tell(self) -> Any:
        """Tells the first of the news. Pass on what this returns to `heed`."""
        self._is_telling = True
        return self.tell_of(self.news[0])

    def tell_of(self, index: int) -> Any:
        """Tells an outcome, and returns what `on_result` returns."""
        result = self._outcomes[index] or _ELSEWHERE
        return None if self._on_result is None else self._on_result(index, result)

    def heed(self, flow: object) -> None:
        """Takes note that the first of the news was told, and does what the function that was told says."""
        self._is_telling = False
        self._untold.discard(self.news.popleft())
        if flow is not None and flow is not BatchFlow.CONTINUE:
            if not isinstance(flow, BatchFlow):
                self._failure = self._failure or _no_flow(flow)
            self._ending = self._ending or _result.NOT_BEGUN
            if flow is BatchFlow.ABORT:
                self.queue.cancel_all()
            else:
                self.queue.stop()
        if self._progress is not None:
            self._progress(len(self._outcomes) - len(self._untold))

    def rest(self, raised: BaseException) -> Iterator[int]:
        """After an exception: the messages whose outcome is still to be told, so that a journal is complete.

        Also the one whose outcome was being told, if a signal or a cancellation struck: it may have come before the
        first line of `on_result`.
        """
        if self._is_telling and isinstance(raised, Exception):
            self._untold.discard(self.news[0])
        self._is_telling = False
        self._untold.discard(len(self._outcomes))  # a signal came before there was an outcome
        while self._untold and self._on_result is not None and self.queue.is_of_this_process:
            index = min(self._untold)
            yield index
            self._untold.discard(index)

    def _tell_rest(self, raised: BaseException) -> None:
        for index in self.rest(raised):
            try:
                flow = self.tell_of(index)
                if hasattr(flow, "__await__"):
                    flow.close()
                    raise RuntimeError("a coroutine that was closed cannot await on_result")
            except BaseException as error:  # noqa: BLE001 (another one is on its way)
                log_untold(index, error)

    def check_process(self) -> None:
        """Ends the call in the child of a fork: the parent goes on with it."""
        if not self.queue.is_of_this_process:
            raise _errors.CancelledError(_ELSEWHERE)


def ahead(max_connections: int) -> int:
    """How many messages may be on their way, or their outcome untold: those in flight, and as many that are ready."""
    return max_connections + max(max_connections, _LEAST_READY)


def check(messages: object, on_result: object, progress: object) -> None:
    """Refuses a single message or text, whose fields or letters would be taken for messages."""
    if hasattr(messages, "__aiter__"):
        raise TypeError(
            f"messages is {_convert.kind(messages)}: async iterables are not taken, give a list or another iterable"
        )
    if isinstance(messages, (Message, Mapping, str, bytes)) or not isinstance(messages, Iterable):
        raise TypeError(f"messages is {_convert.kind(messages)}: give a list or another iterable of them")
    if on_result is not None and not callable(on_result):
        raise TypeError(f"on_result is {_convert.kind(on_result)}: give a function of an index and a Result")
    if not callable(progress) and progress not in (True, False, None):
        raise TypeError(f"progress is {_convert.kind(progress)}: give True, False or a function")


def check_is_sync(on_result: object) -> None:
    """Refuses an async function, which nobody would await."""
    for function in (on_result, getattr(on_result, "__call__", None)):  # noqa: B004 (of an object with a __call__)
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("on_result is an async function: give one that is not async, or use AsyncClient")


def send(batch: Batch, messages: Iterable[Message | Mapping[str, Any]]) -> list[Result]:
    """Sends all messages, and waits on this thread."""
    source = iter(messages)
    with batch:
        # The loop is a function of its own: Python 3.12 and 3.13 run signal handlers at the jump back of a loop, and an
        # exception there passes by a `with` or a `try` of the same function.
        _send(batch, source)
        return batch.end()


def _send(batch: Batch, source: Iterator[Message | Mapping[str, Any]]) -> None:
    is_read = False
    while not (is_read and batch.is_done):
        if not is_read and batch.has_room:
            is_read = batch.read(source)
        else:
            batch.queue.wait()
        batch.queue.take()
        batch.check_process()
        while batch.news:
            batch.heed(batch.tell())
            batch.check_process()


def log_untold(index: int, error: BaseException) -> None:
    """Logs that `on_result` has failed as the batch ended. Not the text of the error, which may quote the message."""
    _call.LOGGER.error(
        "on_result raised %s as it was told the outcome of message %d, after the batch had ended early.",
        type(error).__name__,
        index,
    )


def _no_flow(flow: object) -> TypeError:
    """The exception for what `on_result` returned. Not the value, which may be secret."""
    return TypeError(f"on_result returned a value {_convert.kind(flow)}: return a BatchFlow, or None to go on")


def _reference(message: object) -> object:
    if isinstance(message, Message):
        return message.reference
    return message.get("reference") if isinstance(message, Mapping) else None


def _prepare(message: Message | Mapping[str, Any]) -> _native.Message:
    if isinstance(message, Message):
        return _convert.message(*message[:-1])
    if isinstance(message, Mapping):
        unknown = [name for name in message if name not in Message._fields]
        if unknown:
            raise TypeError(f"{unknown[0]} is not a field of a message: give {', '.join(Message._fields)}")
        given: list[Any] = [message.get(name) for name in Message._fields[:-1]]
        return _convert.message(*given)
    raise TypeError(f"the message is {_convert.kind(message)}: give a Message, or a mapping of its fields")
