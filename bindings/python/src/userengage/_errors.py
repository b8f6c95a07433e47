"""The exceptions: one class for each status, all under `Error`."""

from __future__ import annotations

from typing import Any

from ._result import Delivery, Result, Status, not_sent


class Error(Exception):
    """The message was not delivered, or its delivery is unknown. Base of every other exception here.

    `str(error)` is one line for a person: what happened, what is known of the message, what to do.
    """

    __slots__ = ()

    result: Result
    """Everything that is known about the call."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.message)
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.result,), self.__dict__

    @property
    def status(self) -> Status:
        """The kind of outcome."""
        return self.result.status

    @property
    def delivery(self) -> Delivery:
        """What is known of the message. `NOT_DELIVERED` is safe to send again; `UNKNOWN` may then be shown twice."""
        return self.result.delivery

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
    """The call was cancelled. It is the `__context__` of the exception that did it, such as KeyboardInterrupt."""

    __slots__ = ()

    results: list[Result] = []  # noqa: RUF012 (never changed)
    """For `send_conversations`: the outcomes of the messages that were read, in their order."""


class InternalError(Error):
    """A bug in the library. It was caught, and the process is intact. Please report it."""

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
}


def of(result: Result) -> Error:
    """The exception for the result of a call."""
    return CLASSES[result.status](result)


def invalid(message: str) -> InvalidArgumentError:
    """The exception for an argument that cannot be passed to the library."""
    return InvalidArgumentError(not_sent(Status.INVALID_ARGUMENT, message))


def closed(message: str) -> ClosedError:
    """The exception for a call after the client was closed."""
    return ClosedError(not_sent(Status.CLOSED, message))


def cut_short(results: list[Result]) -> CancelledError:
    """The context for the exception that ended `send_conversations` early."""
    delivered = sum(result.delivery is Delivery.DELIVERED for result in results)
    message = f"Of the messages {len(results)} were read and {delivered} delivered: `results` tells which."
    error = CancelledError(not_sent(Status.CANCELLED, message))
    error.results = results
    return error
