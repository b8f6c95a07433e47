"""The exceptions: one class for each status, all under `Error`, and one for each advice about sending again."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from . import _result
from ._result import Delivery, Result, Retry, Status, not_sent

if TYPE_CHECKING:
    from typing_extensions import Self


class Error(Exception):
    """The message was not delivered, or its delivery is unknown. Base of every other exception here.

    `str(error)` is one line for a person: what happened, what is known of the message, what to do.

    Each error is also a `RetryableError`, a `PermanentError` or an `UncertainError`, as `retry` says.
    """

    __slots__ = ()

    result: Result
    """Everything that is known about the call."""

    def __new__(cls, result: Result) -> Self:
        kind: Any = cls
        error: Self = super().__new__(_with_advice(kind, result.retry), result.message)
        error.result = result
        return error

    def __init__(self, result: Result) -> None:
        super().__init__(result.message)
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        return _public(type(self)), (self.result,), self.__dict__

    @property
    def status(self) -> Status:
        """The kind of outcome."""
        return self.result.status

    @property
    def delivery(self) -> Delivery:
        """What is known of the message: could the customer have seen it?"""
        return self.result.delivery

    @property
    def retry(self) -> Retry:
        """Whether sending the message again can help."""
        return self.result.retry

    @property
    def retryable(self) -> bool:
        """Whether `retry` is `Retry.LATER`: sending the message again later is safe, and can help."""
        return self.result.retryable

    @property
    def http_status(self) -> int | None:
        """The HTTP status of the last answer. None: no answer came."""
        return self.result.http_status

    @property
    def retry_after(self) -> float | None:
        """How many seconds to wait before the message is sent again. None: not given."""
        return self.result.retry_after

    @property
    def request_id(self) -> str | None:
        """The id under which the service knows the request (Cf-Ray). None: not given."""
        return self.result.request_id

    @property
    def attempts(self) -> int:
        """How many requests were begun. 0: nothing was tried."""
        return self.result.attempts

    @property
    def detail(self) -> str:
        """The service's own words, in one line. "": it gave none."""
        return self.result.detail

    @property
    def body(self) -> bytes:
        """The body of the last answer as it came, at most 64 KiB. It may quote the message: keep it out of logs."""
        return self.result.body


class RetryableError(Error):
    """An error whose `retry` is `Retry.LATER`: sending the message again later is safe, and can help.

    For whoever dispatches by class: Celery's `autoretry_for`, tenacity's `retry_if_exception_type`. Each error that
    this package raises is of this class, `PermanentError` or `UncertainError`, and of its own kind, too.
    """

    __slots__ = ()


class PermanentError(Error):
    """An error whose `retry` is `Retry.NEVER`: the content or the user is wrong, and the message will fail again."""

    __slots__ = ()


class UncertainError(Error):
    """An error whose `retry` is `Retry.DECIDE`: the customer may have seen the message."""

    __slots__ = ()


_ADVICE = {Retry.LATER: RetryableError, Retry.NEVER: PermanentError, Retry.DECIDE: UncertainError}


def _public(kind: type[Error]) -> type[Error]:
    """The class that `_with_advice` was given."""
    public: type[Error] = kind.__dict__.get("_kind", kind)
    return public


@functools.cache
def _with_advice(kind: type[Any], retry: Retry) -> type[Any]:
    """The class of an error of this kind and advice: an `except` clause looks at base classes, not at the instance.

    It goes by the name of its kind, and what is pickled is the kind.
    """
    kind = _public(kind)
    advice = _ADVICE[retry]
    if issubclass(kind, advice):
        return kind
    names = {name: getattr(kind, name) for name in ("__doc__", "__module__", "__qualname__")}
    return type(kind.__name__, (kind, advice), {**names, "__slots__": (), "_kind": kind})


class InvalidArgumentError(Error, ValueError):
    """Nothing was sent: the text names the argument, its fault and the remedy."""

    __slots__ = ()


class ConnectError(Error, ConnectionError):
    """No connection: DNS, connect or proxy."""

    __slots__ = ()


class TLSError(Error, ConnectionError):
    """No secure connection: the certificate or the handshake."""

    __slots__ = ()


class TimedOutError(Error, TimeoutError):
    """The deadline passed: `timeout`, over every attempt and wait."""

    __slots__ = ()


class ConnectionLostError(Error, ConnectionError):
    """The connection was lost before an answer came."""

    __slots__ = ()


class BadReplyError(Error):
    """The reply is not valid HTTP, or not an answer of this service."""

    __slots__ = ()


class UnauthorizedError(Error):
    """401 or 403: the API key was not accepted."""

    __slots__ = ()


class NotFoundError(Error):
    """404: the user does not exist."""

    __slots__ = ()


class RejectedError(Error):
    """Any other 4xx: the service refused the message. A 408: it gave up on the request; see `delivery`."""

    __slots__ = ()


class RateLimitedError(Error):
    """429, or `max_per_second` leaves no room before the deadline: `retry_after` says when to try again."""

    __slots__ = ()


class ServerError(Error):
    """5xx: the service failed."""

    __slots__ = ()


class ClosedError(Error):
    """The client was closed, before the call or during it."""

    __slots__ = ()


class CancelledError(Error):
    """The call was cancelled. In the chain of `__context__` of the exception that did it, such as KeyboardInterrupt.

    If the message was delivered all the same, its `delivery` says so, and its `status` is OK.
    """

    __slots__ = ()

    def __init__(self, result: Result) -> None:
        super().__init__(result)
        if not result.message:
            self.args = ("The call was cancelled. The message was delivered before that. Do not send it again.",)

    results: list[Result] = []  # noqa: RUF012 (never changed)
    """For `send_conversations`: the outcomes of the messages that were read, in their order."""


class InternalError(Error):
    """A bug in the library. It was caught, and the process is intact. Please report it."""

    __slots__ = ()


class QueueFullError(Error):
    """A queue of the library had no room. Those of this package have no limit."""

    __slots__ = ()


class SuspendedError(Error):
    """Nothing was sent: `max_failures_in_a_row` messages before this one failed for reasons that are not theirs."""

    __slots__ = ()


CLASSES: dict[Status, type[Error]] = {
    Status.INVALID_ARGUMENT: InvalidArgumentError,
    Status.CONNECT: ConnectError,
    Status.TLS: TLSError,
    Status.TIMEOUT: TimedOutError,
    Status.CONNECTION_LOST: ConnectionLostError,
    Status.BAD_REPLY: BadReplyError,
    Status.UNAUTHORIZED: UnauthorizedError,
    Status.NOT_FOUND: NotFoundError,
    Status.REJECTED: RejectedError,
    Status.RATE_LIMITED: RateLimitedError,
    Status.SERVER_ERROR: ServerError,
    Status.CLOSED: ClosedError,
    Status.CANCELLED: CancelledError,
    Status.INTERNAL: InternalError,
    Status.QUEUE_FULL: QueueFullError,
    Status.SUSPENDED: SuspendedError,
}


def of(result: Result) -> Error:
    """The exception for the result of a call."""
    return CLASSES[result.status](result)


def invalid(message: str) -> InvalidArgumentError:
    """The exception for an argument that cannot be passed to the library."""
    return InvalidArgumentError(_result.invalid(message))


def closed(message: str) -> ClosedError:
    """The exception for a call after the client was closed."""
    return ClosedError(not_sent(Status.CLOSED, message))


def of_ended(result: Result) -> Error:
    """What is known of a message whose call was ended by another exception."""
    return of(result) if result.status else CancelledError(result)


def of_batch(results: list[Result]) -> CancelledError:
    """What is known of the messages whose batch was ended by another exception."""
    delivered, unknown = _result.count(results)
    message = (
        f"Of the messages {len(results)} were read, {delivered} were delivered, and {unknown} may have been: "
        "`results` tells which."
    )
    known = not_sent(Status.CANCELLED, message, delivery=Delivery.UNKNOWN, retry=Retry.DECIDE)
    error = CancelledError(known)
    error.results = results
    return error


def attach(error: BaseException, known: Error) -> None:
    """Appends what is known to the chain of contexts of the exception that ended a call."""
    chain = {id(error)}
    while error.__context__ is not None and id(error.__context__) not in chain:
        error = error.__context__
        chain.add(id(error))
    error.__context__ = known
