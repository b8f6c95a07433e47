"""The outcome of a call: `Result`, `Status`, `Delivery`."""

import ctypes as c
import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple, Optional, Union

from . import _native


class Status(IntEnum):
    """The kind of an outcome. The numbers never change.

    Members:
        OK: The message was delivered.
        INVALID_ARGUMENT: Nothing was sent: the text names the field and the reason.
        CONNECT: No connection: DNS, connect or proxy.
        TLS: No secure connection: the certificate or the handshake.
        TIMEOUT: The deadline passed.
        CONNECTION_LOST: The connection was lost before an answer came.
        BAD_REPLY: The reply is not valid HTTP, or not an answer of this service.
        UNAUTHORIZED: 401 or 403: the key was not accepted.
        NOT_FOUND: 404: the user does not exist.
        REJECTED: Any other 4xx: the service refused the message.
        RATE_LIMITED: 429: too many requests. Or nothing was sent: the rate limit left no turn before the deadline.
        SERVER_ERROR: 5xx: the service failed.
        CLOSED: The client was closed.
        CANCELLED: The call was interrupted or cancelled.
        INTERNAL: A bug in the library, which was caught; or a kind that only a newer version of this package knows.
        QUEUE_FULL: The queue had no room. This package's own queues have no limit.
        SUSPENDED: Nothing was sent: `max_failures_in_a_row` messages before failed for reasons that are not theirs.
    """

    OK = 0
    INVALID_ARGUMENT = 1
    CONNECT = 2
    TLS = 3
    TIMEOUT = 4
    CONNECTION_LOST = 5
    BAD_REPLY = 6
    UNAUTHORIZED = 7
    NOT_FOUND = 8
    REJECTED = 9
    RATE_LIMITED = 10
    SERVER_ERROR = 11
    CLOSED = 12
    CANCELLED = 13
    INTERNAL = 14
    QUEUE_FULL = 15
    SUSPENDED = 16


class Delivery(IntEnum):
    """What is known of a message: could the customer have seen it? `Retry` says whether to send it again.

    Members:
        UNKNOWN: The request went out, and nothing proves what became of it.
        NOT_DELIVERED: It never went out whole, or was refused: the customer has not seen it.
        DELIVERED: The service accepted it.
    """

    UNKNOWN = 100
    NOT_DELIVERED = 101
    DELIVERED = 102


class Retry(IntEnum):
    """Whether sending a message again can help.

    Members:
        DECIDE: The customer may have seen it: a person, or the application, has to decide.
        LATER: It was not delivered. Sending it again later is safe, and can help: the network, the service, the API key
            or the configuration was at fault, not the message.
        NEVER: It was delivered; or it will fail again, because its content or its user is wrong.
    """

    DECIDE = 200
    LATER = 201
    NEVER = 202


class Result(NamedTuple):
    """The outcome of one message, with everything that is known about it. Immutable; can be pickled.

    Attributes:
        status: The kind of outcome.
        delivery: What is known of the message.
        may_be_duplicate: Whether the customer may see the message twice. Only `DeliveryPolicy.AT_LEAST_ONCE` risks it.
        http_status: The HTTP status of the last answer. None: no answer came.
        conversation_id: The conversation's id, which `api_version=2` gives. None: not given.
        retry_after: How many seconds to wait before the message is sent again. None: not given.
        attempts: How many requests were begun. 0: nothing was tried.
        elapsed: How many seconds the call took, every attempt and wait included.
        request_id: The id under which the service knows the request (Cf-Ray). None: not given.
        detail: The service's own words, in one line. "": it gave none.
        message: One line for a person: what happened, what is known, what to do. "": the message was delivered.
        body: The body of the last answer as it came, at most 64 KiB of it. It may quote the message:
            keep it out of logs.
        retry: Whether sending the message again can help.
        reference: The `reference` of the `Message`.
    """

    status: Status
    delivery: Delivery
    may_be_duplicate: bool
    http_status: Optional[int]
    conversation_id: Optional[int]
    retry_after: Optional[float]
    attempts: int
    elapsed: float
    request_id: Optional[str]
    detail: str
    message: str
    body: bytes
    retry: Retry
    reference: Any = None

    @property
    def retryable(self) -> bool:
        """Whether `retry` is `Retry.LATER`: sending the message again later is safe, and can help."""
        return self.retry is Retry.LATER

    def __repr__(self) -> str:  # without the body and the reference
        shown = ("status", "delivery", "retry", "http_status", "conversation_id", "attempts", "request_id", "message")
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"Result({fields})"


def not_sent(
    status: Status,
    message: str,
    reference: object = None,
    *,
    delivery: Delivery = Delivery.NOT_DELIVERED,
    retry: Retry = Retry.LATER,
) -> Result:
    """The outcome of a call that does not reach the library."""
    return Result(status, delivery, False, None, None, None, 0, 0.0, None, "", message, b"", retry, reference)


def invalid(message: str, reference: object = None) -> Result:
    """The outcome of a message that cannot be passed to the library."""
    return not_sent(Status.INVALID_ARGUMENT, message, reference, retry=Retry.NEVER)


def count(results: Sequence[Result]) -> tuple[int, int]:
    """How many were delivered, and of how many it is unknown."""
    deliveries = [result.delivery for result in results]
    return deliveries.count(Delivery.DELIVERED), deliveries.count(Delivery.UNKNOWN)


NOT_BEGUN: Final = not_sent(
    Status.CANCELLED, "The call was cancelled. The message was not delivered. It is safe to send it again."
)
"""The outcome of a call that was cancelled before it reached the library."""

# A dict lookup is several times as fast as the enum's, and so is a global name for a member.
_OTHER_STATUS: Final = Status.INTERNAL
_OTHER_DELIVERY: Final = Delivery.UNKNOWN
_OTHER_RETRY: Final = Retry.DECIDE
_STATUSES: Final = {int(status): status for status in Status}
_DELIVERIES: Final = {int(delivery): delivery for delivery in Delivery}
_RETRIES: Final = {int(retry): retry for retry in Retry}

_OUTCOME_SIZE: Final = c.sizeof(_native.Outcome)
# Reads all fields of an outcome at once, which is faster than one by one.
_unpack: Final = struct.Struct("@NiiiI?qqQ4P4NiP").unpack_from


def take(handle: Union[c.c_void_p, int, None]) -> Result:
    """Copies a `ue_result`. The caller still owns and frees it."""
    return take_with_user_data(handle)[0] if handle else NOT_BEGUN


def take_with_user_data(handle: Union[c.c_void_p, int]) -> tuple[Result, int]:
    """Copies a `ue_result`, and the user_data of its message. The caller still owns and frees it."""
    outcome = _native.Outcome(_OUTCOME_SIZE)
    _native.lib.ue_result_read(handle, outcome)
    (
        _,
        status,
        delivery,
        http_status,
        attempts,
        may_be_duplicate,
        conversation_id,
        retry_after_ms,
        elapsed_us,
        _,
        _,
        _,
        body_at,
        request_id_length,
        detail_length,
        message_length,
        body_length,
        retry,
        user_data,
    ) = _unpack(outcome)
    body = outcome.body
    if len(body) != body_length:  # there is a NUL in it
        body = c.string_at(body_at, body_length)
    result = Result._make(
        (
            _STATUSES.get(status, _OTHER_STATUS),
            _DELIVERIES.get(delivery, _OTHER_DELIVERY),
            may_be_duplicate,
            http_status or None,
            conversation_id if conversation_id >= 0 else None,
            retry_after_ms / 1000 if retry_after_ms >= 0 else None,
            attempts,
            elapsed_us / 1_000_000,
            outcome.request_id.decode("utf-8", "replace") if request_id_length else None,
            outcome.detail.decode("utf-8", "replace") if detail_length else "",
            outcome.message.decode("utf-8", "replace") if message_length else "",
            body,
            _RETRIES.get(retry, _OTHER_RETRY),
            None,
        )
    )
    return result, user_data
