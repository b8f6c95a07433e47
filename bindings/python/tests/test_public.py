"""The public surface: names, documentation, types."""

from __future__ import annotations

import inspect
import pickle
import pydoc
from enum import Enum
from importlib.resources import files
from typing import Any

import pytest

import userengage
from userengage import AsyncClient, Client, Delivery, Message, Result, Retry, Source, Status

PUBLIC = [
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
CLASSES = [value for value in (getattr(userengage, name) for name in PUBLIC) if inspect.isclass(value)]
RESULT = Result(
    Status.OK, Delivery.DELIVERED, False, 201, 89, None, 1, 0.01, "ray-1", "", "", b"secret", Retry.NEVER, "row 7"
)


def test_the_public_names_are_these() -> None:
    assert userengage.__all__ == PUBLIC
    assert [name for name in dir(userengage) if not name.startswith("_")] == PUBLIC[:-1]


def test_every_public_class_says_that_it_is_of_userengage() -> None:
    assert {kind.__module__ for kind in CLASSES} == {"userengage"}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: str(kind.__name__))
def test_everything_public_is_documented(kind: type) -> None:
    text = inspect.getdoc(kind)
    assert text
    for name in getattr(kind, "_fields", ()):
        assert f" {name}: " in text
    if issubclass(kind, Enum):
        for member in kind:
            assert kind is Source or f" {member.name}: " in text
    else:
        for name, value in inspect.getmembers(kind):
            if not name.startswith("_") and getattr(value, "__module__", "").startswith("userengage"):
                assert inspect.getdoc(value), f"{kind.__name__}.{name}"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_help_tells_of_every_option_and_attribute(kind: type) -> None:
    text = pydoc.plain(pydoc.render_doc(kind))
    documented = inspect.getdoc(kind.__init__)  # type: ignore[misc]
    assert documented is not None
    for option in list(inspect.signature(kind).parameters):
        assert f"{option}: " in documented
        assert option in text
    for attribute in ("client_user_id", "content", "user", "source", "source_context", "timeout"):
        assert attribute in text


@pytest.mark.parametrize("kind", [Result, Message])
def test_help_shows_types_as_they_are(kind: type) -> None:
    assert "ForwardRef" not in str(inspect.signature(kind))


def test_client_and_async_client_take_the_same_arguments() -> None:
    assert inspect.signature(Client) == inspect.signature(AsyncClient)
    assert inspect.signature(Client.send_conversation) == inspect.signature(AsyncClient.send_conversation)


def test_the_package_is_typed() -> None:
    assert (files("userengage") / "py.typed").is_file()


@pytest.mark.parametrize("made", [Client("key"), AsyncClient("key"), RESULT], ids=lambda made: type(made).__name__)
def test_no_attribute_can_be_made_by_a_slip(made: Any) -> None:
    assert not hasattr(made, "__dict__")
    with pytest.raises((AttributeError, TypeError)):
        made.time_out = 5


def test_a_result_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        RESULT.attempts = 2  # type: ignore[misc]  # pyright: ignore


def test_a_result_can_be_compared_hashed_and_pickled() -> None:
    again = pickle.loads(pickle.dumps(RESULT))
    assert again == RESULT
    assert hash(again) == hash(RESULT)


def test_a_results_repr_leaves_the_body_out() -> None:
    assert repr(RESULT) == (
        "Result(status=<Status.OK: 0>, delivery=<Delivery.DELIVERED: 102>, retry=<Retry.NEVER: 202>, http_status=201, "
        "conversation_id=89, attempts=1, request_id='ray-1', message='')"
    )


def test_a_clients_repr_and_attributes_hold_no_secret() -> None:
    client = Client("s3cret", proxy="http://user:s3cret@127.0.0.1:1")
    values = [getattr(client, name) for name in dir(client) if not callable(getattr(client, name))]
    assert "s3cret" not in f"{client!r} {values!r}"
