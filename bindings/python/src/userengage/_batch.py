"""`Batch`: many messages on their way through a queue of their own. It waits for nothing: that is the client's part."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sized
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Final, Union

from . import _convert, _errors, _native, _result
from ._queue import AT_ONCE, Queue
from ._result import Delivery, Result, Retry, Status
from ._types import BatchFlow, Message

if TYPE_CHECKING:
    from typing_extensions import Self

Progress = Union[bool, Callable[[int], object]]
OnResult = Callable[[int, Result], object]
AHEAD: Final = 32
"""How many messages are read ahead for each connection, so that none of them has to wait."""

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
        "_count",
        "_ending",
        "_failure",
        "_on_result",
        "_outcomes",
        "_progress",
        "_push_message",
        "_stack",
        "_told",
        "news",
        "queue",
    )

    queue: Queue

    news: deque[int]
    """The indexes of the messages whose outcome is to be told."""

    _ending: Result | None
    """If no further message is begun: the outcome of those."""

    def __init__(
        self,
        queue: Queue,
        messages: object,
        on_result: OnResult | None,
        progress: Progress,
        push: Callable[[_native.Message, Callable[[Result], object]], int | Result],
    ) -> None:
        self.queue = queue
        self._push_message = push
        self._count = len(messages) if isinstance(messages, Sized) else None
        self._on_result = on_result
        self._progress: Callable[[int], object] | None = None
        self._outcomes: list[Result | None] = []
        self._ending = None
        self._failure: Exception | None = None
        self._told = 0
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
        """Returns the results, or raises what `messages` has raised."""
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

    def wanted(self, ahead: int) -> int:
        """How many messages to read before anything else, if `ahead` may wait for their outcome."""
        return max(0, min(AT_ONCE, ahead - (len(self._outcomes) - self._told)))

    def fill(self, source: Iterator[Message | Mapping[str, Any]], wanted: int) -> bool:
        """Reads and pushes messages. Returns whether there are no more to read.

        After an end, those of an iterator stay where they are, and those of a list get their outcome.
        """
        for _ in range(wanted):
            if self._ending is not None and self._count is None:
                return True
            try:
                message = next(source)
            except StopIteration:
                return True
            except Exception as error:  # noqa: BLE001 (raised when the messages in flight are finished)
                self._failure = error
                self._ending = _result.NOT_BEGUN
                self.queue.stop()
                return True
            self.push(message)
        return False

    def push(self, message: Message | Mapping[str, Any]) -> None:
        """Sends a message that was read. One that cannot be sent has its outcome at once."""
        index = len(self._outcomes)
        self._outcomes.append(_result.NOT_BEGUN)
        reference = _reference(message)
        outcome: int | Result | None = self._ending
        if outcome is None:
            try:
                outcome = self._push(index, _prepare(message), reference)
            except (TypeError, _errors.InvalidArgumentError) as error:
                outcome = _result.invalid(str(error))
        if isinstance(outcome, Result):
            if outcome.status in _REFUSES_ALL:
                self._ending = outcome
            self._finish(index, outcome, reference)

    def _push(self, index: int, message: _native.Message, reference: object) -> int | Result:
        self._outcomes[index] = None
        return self._push_message(message, lambda result: self._finish(index, result, reference))

    def _finish(self, index: int, result: Result, reference: object) -> None:
        """Keeps an outcome, to be told."""
        self._outcomes[index] = result if reference is None else result._replace(reference=reference)
        self.news.append(index)

    def tell(self) -> Any:
        """Tells the first of the news. Pass on what this returns to `heed`."""
        index = self.news.popleft()
        result = self._outcomes[index]
        assert result is not None
        return None if self._on_result is None else self._on_result(index, result)

    def heed(self, flow: object) -> None:
        """Does what the function that was told says."""
        self._told += 1
        if flow is BatchFlow.FINISH or flow is BatchFlow.ABORT:
            self._ending = self._ending or _result.NOT_BEGUN
            if flow is BatchFlow.ABORT:
                self.queue.cancel_all()
            else:
                self.queue.stop()
        if self._progress is not None:
            self._progress(self._told)

    def check_process(self) -> None:
        """Ends the call in the child of a fork: the parent goes on with it."""
        if not self.queue.is_of_this_process:
            raise _errors.CancelledError(_ELSEWHERE)


def check(messages: object, on_result: object, progress: object) -> None:
    """Refuses a single message or text, whose fields or letters would be taken for messages."""
    if isinstance(messages, (Message, Mapping, str, bytes)) or not isinstance(messages, Iterable):
        raise TypeError(f"messages is {_convert.kind(messages)}: give a list or another iterable of them")
    if on_result is not None and not callable(on_result):
        raise TypeError(f"on_result is {_convert.kind(on_result)}: give a function of an index and a Result")
    if not callable(progress) and progress not in (True, False, None):
        raise TypeError(f"progress is {_convert.kind(progress)}: give True, False or a function")


def send(batch: Batch, messages: Iterable[Message | Mapping[str, Any]], ahead: int) -> list[Result]:
    """Sends all messages, and waits on this thread."""
    source = iter(messages)
    is_read = False
    with batch:
        while not (is_read and batch.is_done):
            wanted = batch.wanted(ahead)
            is_read = is_read or batch.fill(source, wanted)
            if not batch.news and (is_read or not wanted):
                batch.queue.wait()
            batch.queue.take()
            batch.check_process()
            while batch.news:
                batch.heed(batch.tell())
                batch.check_process()
        return batch.end()


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
