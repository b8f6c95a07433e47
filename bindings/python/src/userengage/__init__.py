"""Sends conversation messages to UserEngage (User.com) and reports the outcome of each of them.

    import userengage

    with userengage.Client("<your_64_char_api_key>") as client:
        result = client.send_conversation(42, "Hi <b>user</b>, enjoy our product!", source=userengage.Source.EMAIL)

A message that was not delivered raises an `Error`. Its `retry` says whether sending it again can help.
Log lines go to the logger "userengage".
"""

from . import _native
from ._async_client import AsyncClient
from ._client import Client
from ._errors import (
    BadReplyError,
    CancelledError,
    ClosedError,
    ConnectError,
    ConnectionLostError,
    Error,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    PermanentError,
    QueueFullError,
    RateLimitedError,
    RejectedError,
    RetryableError,
    ServerError,
    SuspendedError,
    TimedOutError,
    TLSError,
    UnauthorizedError,
    UncertainError,
)
from ._result import Delivery, Result, Retry, Status
from ._types import BatchFlow, DeliveryPolicy, Message, Source

__all__ = [
    "AsyncClient",
    "BadReplyError",
    "BatchFlow",
    "CancelledError",
    "Client",
    "ClosedError",
    "ConnectError",
    "ConnectionLostError",
    "Delivery",
    "DeliveryPolicy",
    "Error",
    "InternalError",
    "InvalidArgumentError",
    "Message",
    "NotFoundError",
    "PermanentError",
    "QueueFullError",
    "RateLimitedError",
    "RejectedError",
    "Result",
    "Retry",
    "RetryableError",
    "ServerError",
    "Source",
    "Status",
    "SuspendedError",
    "TLSError",
    "TimedOutError",
    "UnauthorizedError",
    "UncertainError",
    "__version__",
]

__version__: str = _native.lib.ue_version().decode()

# Show each class by the name under which it is imported.
for _public in [value for name, value in globals().items() if name in __all__ and isinstance(value, type)]:
    _public.__module__ = __name__
