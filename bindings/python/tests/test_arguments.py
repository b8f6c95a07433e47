"""Arguments that are refused before anything is sent, and the error texts."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from sandbox import Sandbox

import userengage
from userengage import Client, Delivery, DeliveryPolicy, InvalidArgumentError

SELF: list[Any] = []
SELF.append(SELF)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"client_user_id": ""}, "client_user_id is empty"),
        ({"client_user_id": ".."}, 'client_user_id is ".."'),
        ({"client_user_id": "a\nb"}, "client_user_id has a control character at byte 1"),
        ({"client_user_id": "a\0b"}, "client_user_id has a control character at byte 1"),
        ({"content": ""}, "content is empty"),
        ({"content": "a\0b"}, "content has a NUL at byte 1"),
        ({"content": "ab\ud800"}, "content has half a surrogate pair at character 2"),
        ({"user": 0}, "user is 0: give the positive id of the agent who writes, or leave it out"),
        ({"user": -1}, "user is -1: give the positive id of the agent who writes, or leave it out"),
        ({"user": 2**63}, "user is 9223372036854775808: give the positive id"),
        ({"source": 0}, "source is 0: give"),
        ({"source": -1}, "source is -1: give"),
        ({"source": 2**31}, "source is 2147483648: give"),
        ({"source_context": {"a": float("nan")}}, "source_context cannot be written as JSON (Out of range float"),
        (
            {"source_context": {"a": {1}}},
            "source_context cannot be written as JSON (a value of type set has no JSON form): use dict, list, str, ",
        ),
        ({"source_context": {"a": datetime.date.min}}, "source_context cannot be written as JSON ("),
        ({"source_context": {b"a": 1}}, "source_context cannot be written as JSON (keys must be str"),
        ({"source_context": SELF}, "source_context is nested too deeply, or holds itself: give a flatter one"),
        ({"timeout": 0}, "timeout is 0: give more than 0 and at most 2147483 seconds (24 days), or leave it out"),
        ({"timeout": float("nan")}, "timeout is nan: give more than 0"),
        ({"client_user_id": 10**5000}, "client_user_id "),
        ({"user": 10**5000}, "user is a number of more than 100 digits: give the positive id"),
        ({"source_context": {"a": "\udfff"}}, "source_context has half a surrogate pair"),
    ],
)
def test_a_value_that_cannot_be_sent_is_refused(
    sandbox: Sandbox, client: Client, user_id: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        client.send_conversation(**{"client_user_id": user_id, "content": "Hi", **arguments})
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).startswith(message)
    assert (caught.value.delivery, caught.value.attempts) == (Delivery.NOT_DELIVERED, 0)
    assert sandbox.requests(user_id) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"client_user_id": None}, "client_user_id is None: give an int or a str"),
        ({"client_user_id": 42.0}, "client_user_id is of type float: give an int or a str"),
        ({"client_user_id": True}, "client_user_id is of type bool: give an int or a str"),
        ({"client_user_id": b"42"}, "client_user_id is of type bytes: give an int or a str"),
        ({"content": None}, "content is None: give a str"),
        ({"content": b"Hi"}, "content is of type bytes: give a str"),
        ({"user": "926"}, "user is of type str: give an int"),
        ({"source": "email"}, "source is of type str: give a Source or a positive int"),
        ({"source_context": '{"a": 1}'}, "source_context is of type str: give a dict or a list"),
        ({"source_context": 5}, "source_context is of type int: give a dict or a list"),
        ({"timeout": "5"}, "timeout is of type str: give seconds as a float or an int"),
    ],
)
def test_a_value_of_a_wrong_type_is_a_type_error(client: Client, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        client.send_conversation(**{"client_user_id": 1, "content": "Hi", **arguments})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"api_key": ""}, "api_key is empty"),
        ({"api_key": "a b"}, "api_key has a character at byte 1"),
        ({"api_key": "a\0b"}, "api_key has a NUL at byte 1"),
        ({"base_url": "app.userengage.com"}, "base_url "),
        ({"base_url": "http://userengage.example/api/"}, "base_url "),
        ({"api_version": 3}, "api_version is 3"),
        ({"delivery_policy": 2}, "delivery_policy is 2"),
        ({"max_attempts": 0}, "max_attempts is 0: give a number from 1 to 4294967295, or leave it out"),
        ({"max_attempts": 2**32}, "max_attempts is 4294967296: give a number from 1"),
        ({"max_connections": -1}, "max_connections is -1: give a number from 1 to 256, or leave it out"),
        ({"max_connections": 257}, "max_connections is 257: give a number from 1 to 256, or leave it out"),
        ({"max_per_second": 0}, "max_per_second is 0: give a number from 1"),
        ({"max_attempts": 10**5000}, "max_attempts is a number of more than 100 digits: give a number from 1"),
        ({"timeout": 0}, "timeout is 0: give more than 0 and at most 2147483 seconds (24 days), or leave it out"),
        ({"timeout": -0.5}, "timeout is -0.5: give more than 0"),
        ({"timeout": 2147484}, "timeout is 2147484: give more than 0 and at most 2147483 seconds (24 days)"),
        ({"timeout": 4294968}, "timeout is 4294968: give more than 0 and at most 2147483 seconds (24 days)"),
        ({"timeout": 10**5000}, "timeout is a number of more than 100 digits: give more than 0"),
        ({"timeout": float("inf")}, "timeout is inf: give more than 0"),
        ({"connect_timeout": float("nan")}, "connect_timeout is nan: give more than 0"),
        ({"api_version": 2**40}, "api_version is 1099511627776, which is not one of its values"),
        ({"proxy": "socks5://localhost"}, "proxy "),
        ({"ca_file": Path("/nowhere/ca.pem")}, "ca_file "),
        ({"user_agent": "Zażółć"}, "user_agent "),
    ],
)
def test_an_option_that_cannot_be_used_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        Client(**{"api_key": "key", **options})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"api_key": 5}, "api_key is of type int: give a str"),
        ({"timeout": "5"}, "timeout is of type str: give seconds as a float or an int"),
        ({"delivery_policy": "at_least_once"}, "delivery_policy is of type str: give a DeliveryPolicy"),
        ({"max_attempts": 1.5}, "max_attempts is of type float: give an int"),
        ({"base_url": b"https://"}, "base_url is of type bytes: give a str"),
        ({"ca_file": 5}, "ca_file is of type int: give a str or a path"),
    ],
)
def test_an_option_of_a_wrong_type_is_a_type_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        Client(**{"api_key": "key", **options})
    assert str(caught.value) == message


def test_the_bounds_are_those_of_the_library() -> None:
    Client("key", timeout=2147483, connect_timeout=2147483, max_connections=256).close()
    assert "At most 256." in (Path(__file__).parents[3] / "include" / "userengage.h").read_text()


def test_options_are_given_by_name_only() -> None:
    with pytest.raises(TypeError, match="positional"):
        Client("key", "https://app.userengage.com/api/public/")  # type: ignore[call-arg]  # pyright: ignore


def test_the_key_comes_from_the_environment(sandbox: Sandbox, user_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UE_API_KEY", sandbox.api_key)
    with Client(base_url=sandbox.base_url) as client:
        assert client.send_conversation(user_id, "Hi").delivery is Delivery.DELIVERED


def test_no_key_at_all_says_where_to_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UE_API_KEY", raising=False)
    with pytest.raises(
        InvalidArgumentError, match="api_key is missing: give it, or set the environment variable UE_API_KEY"
    ):
        Client()


def test_what_is_refused_is_not_quoted(client: Client) -> None:
    mistakes: list[dict[str, Any]] = [{"content": "secret\0"}, {"content": "secret\ud800"}, {"content": b"secret"}]
    for arguments in mistakes:
        with pytest.raises((InvalidArgumentError, TypeError)) as caught:
            client.send_conversation(1, **arguments)
        assert "secret" not in f"{caught.value!r} {caught.value.__context__!r}"


def test_a_short_time_is_rounded_up_and_never_to_the_default(sandbox: Sandbox, user_id: str) -> None:
    sandbox.order("hang", user_id)
    with sandbox.client(timeout=0.0001) as client, pytest.raises(userengage.TimedOutError) as caught:
        client.send_conversation(user_id, "Hi")
    assert caught.value.result.elapsed < 0.5


def test_a_call_can_have_a_timeout_of_its_own(sandbox: Sandbox, client: Client, user_id: str) -> None:
    sandbox.order("hang", user_id)
    with pytest.raises(userengage.TimedOutError) as caught:
        client.send_conversation(user_id, "Hi", timeout=0.1)
    assert 0.1 <= caught.value.result.elapsed < 10


def test_the_options_reach_the_wire(sandbox: Sandbox, user_id: str) -> None:
    with sandbox.client(user_agent="shop/1.2", api_version=2) as client:
        client.send_conversation(user_id, "Hi")
    headers = {name.lower(): value for name, value in sandbox.only_request(user_id)["headers"]}
    assert headers["user-agent"] == f"shop/1.2 userengage/{userengage.__version__}"
    assert headers["accept"] == "*/*; version=2"


def test_at_least_once_sends_again_and_says_that_it_may_be_a_duplicate(sandbox: Sandbox, user_id: str) -> None:
    sandbox.order("reset", user_id, times=1)
    with sandbox.client(delivery_policy=DeliveryPolicy.AT_LEAST_ONCE, max_attempts=2) as client:
        result = client.send_conversation(user_id, "Hi")
    assert (result.attempts, result.may_be_duplicate) == (2, True)


def test_at_most_max_attempts_are_made(sandbox: Sandbox, user_id: str) -> None:
    sandbox.order("status", user_id, status=429, headers={"Retry-After": "0"}, times=5)
    with sandbox.client(max_attempts=3) as client, pytest.raises(userengage.RateLimitedError) as caught:
        client.send_conversation(user_id, "Hi")
    assert caught.value.attempts == len(sandbox.requests(user_id)) == 3


def test_numbers_that_are_no_int_but_act_as_one_are_taken(sandbox: Sandbox, client: Client, user_id: str) -> None:
    class Number:
        def __index__(self) -> int:
            return 7

    client.send_conversation(user_id, "Hi", user=Number())  # type: ignore[arg-type]  # pyright: ignore
    assert json.loads(sandbox.only_request(user_id)["body"])["user"] == 7
