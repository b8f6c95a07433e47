"""The exceptions for messages that were not delivered."""

from __future__ import annotations

import copy
import pickle
import socket
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from sandbox import Sandbox

import userengage
from userengage import Client, Delivery, Error, Result, Retry, Status


@pytest.mark.parametrize(
    ("http_status", "kind", "delivery"),
    [
        (302, userengage.BadReplyError, Delivery.UNKNOWN),
        (308, userengage.BadReplyError, Delivery.NOT_DELIVERED),
        (400, userengage.RejectedError, Delivery.NOT_DELIVERED),
        (401, userengage.UnauthorizedError, Delivery.NOT_DELIVERED),
        (403, userengage.UnauthorizedError, Delivery.NOT_DELIVERED),
        (404, userengage.NotFoundError, Delivery.NOT_DELIVERED),
        (408, userengage.RejectedError, Delivery.UNKNOWN),
        (429, userengage.RateLimitedError, Delivery.NOT_DELIVERED),
        (500, userengage.ServerError, Delivery.UNKNOWN),
    ],
)
def test_each_kind_of_refusal_has_its_class(
    sandbox: Sandbox, client: Client, user_id: str, http_status: int, kind: type[Error], delivery: Delivery
) -> None:
    sandbox.order("status", user_id, status=http_status)
    with pytest.raises(Error) as caught:
        client.send_conversation(user_id, "Hi")
    error = caught.value
    assert isinstance(error, kind)
    assert type(error).__name__ == kind.__name__
    assert (error.http_status, error.delivery, error.attempts) == (http_status, delivery, 1)
    assert error.body == error.result.body
    assert error.request_id


def test_a_refused_connection_is_a_connection_error_and_not_delivered(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with sandbox.client(base_url=f"http://127.0.0.1:{port}/api/public/") as client:
        with pytest.raises(ConnectionError) as caught:
            client.send_conversation(1, "Hi")
    assert isinstance(caught.value, userengage.ConnectError)
    assert caught.value.delivery is Delivery.NOT_DELIVERED
    assert caught.value.http_status is None


def test_a_connection_lost_after_the_request_is_unknown(sandbox: Sandbox, client: Client, user_id: str) -> None:
    sandbox.order("reset", user_id)
    with pytest.raises(ConnectionError) as caught:
        client.send_conversation(user_id, "Hi")
    assert isinstance(caught.value, userengage.ConnectionLostError)
    assert caught.value.delivery is Delivery.UNKNOWN


def test_a_silent_service_is_a_timeout_error(sandbox: Sandbox, user_id: str) -> None:
    sandbox.order("hang", user_id)
    with sandbox.client(timeout=0.2) as client, pytest.raises(TimeoutError) as caught:
        client.send_conversation(user_id, "Hi")
    assert isinstance(caught.value, userengage.TimedOutError)
    assert caught.value.delivery is Delivery.UNKNOWN
    assert 0.2 <= caught.value.result.elapsed < 0.7


def test_retry_after_is_in_seconds(sandbox: Sandbox, client: Client, user_id: str) -> None:
    sandbox.order("status", user_id, status=429, headers={"Retry-After": "3"})
    with pytest.raises(userengage.RateLimitedError) as caught:
        client.send_conversation(user_id, "Hi")
    assert caught.value.retry_after == 3.0


def test_a_503_says_when_to_come_again_and_not_whether_it_was_delivered(
    sandbox: Sandbox, client: Client, user_id: str
) -> None:
    sandbox.order("store-then-503", user_id)
    with pytest.raises(userengage.ServerError) as caught:
        client.send_conversation(user_id, "Hi")
    assert (caught.value.delivery, caught.value.retry_after) == (Delivery.UNKNOWN, 5.0)


def test_the_services_words_are_in_the_detail_and_the_message(client: Client) -> None:
    with pytest.raises(userengage.NotFoundError, match="Not found") as caught:
        client.send_conversation("missing-user", "Hi")
    assert caught.value.detail == "Not found."


@pytest.mark.parametrize("body", ["a\0b\0", "", "z" * 70_000], ids=["with NULs", "empty", "long"])
def test_a_body_is_kept_as_it_came_up_to_64_kib(sandbox: Sandbox, client: Client, user_id: str, body: str) -> None:
    sandbox.order("status", user_id, status=400, body=body)
    with pytest.raises(userengage.RejectedError) as caught:
        client.send_conversation(user_id, "Hi")
    assert caught.value.body == body.encode()[:65_536]


def test_every_status_has_a_class_of_its_own() -> None:
    from userengage._errors import CLASSES

    assert set(CLASSES) == set(Status) - {Status.OK}
    assert len(set(CLASSES.values())) == len(CLASSES)


ADVICE = {
    Retry.LATER: userengage.RetryableError,
    Retry.NEVER: userengage.PermanentError,
    Retry.DECIDE: userengage.UncertainError,
}


def made(kind: type[Error], retry: Retry) -> Error:
    return kind(
        Result(Status.CONNECT, Delivery.UNKNOWN, False, None, None, None, 1, 0.1, None, "", "It failed.", b"", retry)
    )


@pytest.mark.parametrize(
    ("fault", "retry"),
    [
        ({"fault": "status", "status": 401}, Retry.LATER),
        ({"fault": "status", "status": 429}, Retry.LATER),
        ({"fault": "status", "status": 400}, Retry.NEVER),
        ({"fault": "status", "status": 500}, Retry.DECIDE),
        ({"fault": "reset"}, Retry.DECIDE),
    ],
)
def test_an_error_can_be_caught_by_what_to_do(
    sandbox: Sandbox, client: Client, user_id: str, fault: dict[str, Any], retry: Retry
) -> None:
    sandbox.order(client_user_id=user_id, **fault)
    with pytest.raises(ADVICE[retry]) as caught:
        client.send_conversation(user_id, "Hi")
    assert caught.value.retry is caught.value.result.retry is retry
    assert caught.value.retryable is caught.value.result.retryable is (retry is Retry.LATER)


def test_what_was_refused_before_it_was_sent_is_permanent(client: Client) -> None:
    for content in ("", "\0", "\ud800"):
        with pytest.raises(userengage.PermanentError) as caught:
            client.send_conversation(1, content)
        assert isinstance(caught.value, userengage.InvalidArgumentError)


@pytest.mark.parametrize("retry", Retry)
@pytest.mark.parametrize("again", [lambda it: it, copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_every_error_is_of_its_kind_and_of_one_advice(retry: Retry, again: Callable[[Error], Error]) -> None:
    from userengage._errors import CLASSES

    for kind in CLASSES.values():
        error = again(made(kind, retry))
        assert isinstance(error, kind)
        assert [advice for advice, base in ADVICE.items() if isinstance(error, base)] == [retry]
        assert (str(error), error.result.retry) == ("It failed.", retry)
        assert repr(error) == f"{kind.__name__}('It failed.')"
        assert type(error).__module__ == "userengage"


def test_an_error_of_a_callers_own_class_has_an_advice_too() -> None:
    class ShopError(userengage.ConnectError):
        pass

    error = made(ShopError, Retry.LATER)
    assert isinstance(error, ShopError)
    assert isinstance(error, userengage.RetryableError)
    other = made(type(error), Retry.NEVER)
    assert isinstance(other, ShopError)
    assert not isinstance(other, userengage.RetryableError)


def test_a_class_is_made_once_for_each_kind_and_advice() -> None:
    assert type(made(userengage.ConnectError, Retry.LATER)) is type(made(userengage.ConnectError, Retry.LATER))


def test_an_error_survives_pickling(client: Client) -> None:
    with pytest.raises(Error) as caught:
        client.send_conversation("missing-user", "Hi")
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is type(caught.value)
    assert str(again) == str(caught.value)
    assert again.result == caught.value.result


def test_what_was_cut_short_survives_pickling(client: Client) -> None:
    def messages() -> Iterator[userengage.Message]:
        yield userengage.Message("missing-user", "Hi")
        raise LookupError

    with pytest.raises(LookupError) as caught:
        client.send_conversations(messages())
    known = caught.value.__context__
    assert isinstance(known, userengage.CancelledError)
    assert pickle.loads(pickle.dumps(known)).results == known.results != []


def test_neither_the_key_nor_the_content_is_in_an_error(sandbox: Sandbox) -> None:
    with sandbox.client(api_key="k3y-that-is-secret") as client, pytest.raises(userengage.UnauthorizedError) as caught:
        client.send_conversation(1, "c0ntent-that-is-secret")
    error = caught.value
    shown = f"{error} {error!r} {error.result!r} {error.detail} {client!r}"
    assert "secret" not in shown
