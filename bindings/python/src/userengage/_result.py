"""The outcome of a call: `Result`, `Status`, `Delivery`."""

import ctypes as c
import struct
from enum import IntEnum
from typing import Final, NamedTuple, Optional, Union

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


class Delivery(IntEnum):
    """What is known of a message: can it be sent again without the risk of showing it twice?

    Members:
        UNKNOWN: The request went out, and nothing proves what became of it.
        NOT_DELIVERED: It never went out whole, or was refused: sending again is safe.
        DELIVERED: The service accepted it: do not send again.
    """

    UNKNOWN = 0
    NOT_DELIVERED = 1
    DELIVERED = 2


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

    def __repr__(self) -> str:  # without the body
        shown = ("status", "delivery", "http_status", "conversation_id", "attempts", "request_id", "message")
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"Result({fields})"


def not_sent(status: Status, message: str) -> Result:
    """The outcome of a call that does not reach the library."""
    return Result(status, Delivery.NOT_DELIVERED, False, None, None, None, 0, 0.0, None, "", message, b"")


NOT_BEGUN: Final = not_sent(
    Status.CANCELLED, "The call was cancelled. The message was not delivered. It is safe to send it again."
)
"""The outcome of a call that was cancelled before it reached the library."""

# A dict lookup is several times as fast as the enum's, and so is a global name for a member.
_OTHER_STATUS: Final = Status.INTERNAL
_OTHER_DELIVERY: Final = Delivery.UNKNOWN
_STATUSES: Final = {int(status): status for status in Status}
_DELIVERIES: Final = {int(delivery): delivery for delivery in Delivery}

_OUTCOME_SIZE: Final = c.sizeof(_native.Outcome)
# Reads all fields of an outcome at once, which is faster than one by one.
_unpack: Final = struct.Struct("@NiiiI?qqQ4P4N").unpack_from


def take(handle: Union[c.c_void_p, int, None]) -> Result:
    """Copies a `ue_result`. The caller still owns and frees it."""
    if not handle:
        return NOT_BEGUN
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
    ) = _unpack(outcome)
    body = outcome.body
    if len(body) != body_length:  # there is a NUL in it
        body = c.string_at(body_at, body_length)
    return Result._make(
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
        )
    )
