"""Signals during a call: Ctrl-C, handlers that raise, handlers that do not."""

from __future__ import annotations

import gc
import json
import logging
import pickle
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, Callable

import pytest
from sandbox import Sandbox

import userengage
from userengage import Client, Delivery, Message, Retry, Status, _native

Handler = Callable[[int, "FrameType | None"], None]


class Alarm(BaseException):
    """The exception that a handler raises."""


def ring(_signal: int, _frame: FrameType | None) -> None:
    raise Alarm


def ignore(_signal: int, _frame: FrameType | None) -> None:
    pass


@pytest.fixture
def alarm() -> Iterator[Callable[[Handler, float], None]]:
    """Sets a handler that is called after some seconds."""

    def set_alarm(handler: Handler, seconds: float) -> None:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    before = signal.getsignal(signal.SIGALRM)
    yield set_alarm
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_ctrl_c_ends_a_call_at_once_and_says_what_is_known(sandbox: Sandbox, client: Client, user_id: str) -> None:
    sandbox.order("hang", user_id)
    pressed = []

    def press() -> None:
        sandbox.wait_for_request(user_id)
        pressed.append(time.monotonic())
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    keyboard = threading.Thread(target=press)
    try:
        keyboard.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            client.send_conversation(user_id, "Hi")
        assert time.monotonic() - pressed[0] < 0.2
    finally:
        keyboard.join()
        signal.signal(signal.SIGINT, before)
    known = caught.value.__context__
    assert isinstance(known, userengage.CancelledError)
    assert known.delivery is Delivery.UNKNOWN


def test_whatever_a_handler_raises_ends_a_call(
    sandbox: Sandbox, client: Client, user_id: str, alarm: Callable[[Handler, float], None]
) -> None:
    sandbox.order("hang", user_id)
    alarm(ring, 0.05)
    begun = time.monotonic()
    with pytest.raises(Alarm) as caught:
        client.send_conversation(user_id, "Hi")
    assert time.monotonic() - begun < 1
    assert isinstance(caught.value.__context__, userengage.CancelledError)


def test_a_handler_that_raises_nothing_ends_no_call(
    sandbox: Sandbox, client: Client, user_id: str, alarm: Callable[[Handler, float], None]
) -> None:
    sandbox.order("delay", user_id, ms=300)
    seen: list[int] = []
    alarm(lambda number, _: seen.append(number), 0.05)
    assert client.send_conversation(user_id, "Hi").delivery is Delivery.DELIVERED
    assert seen == [signal.SIGALRM]


def test_a_handler_may_send_with_the_same_client(
    sandbox: Sandbox, client: Client, user_id: str, alarm: Callable[[Handler, float], None]
) -> None:
    sandbox.order("hang", user_id)
    sandbox.order("delay", user_id + "-last-words", ms=250)  # long enough for the interrupt callback
    sent: list[userengage.Result] = []

    def say_last_words(_signal: int, _frame: FrameType | None) -> None:
        sent.append(client.send_conversation(user_id + "-last-words", "Hi"))
        raise Alarm

    alarm(say_last_words, 0.05)
    with pytest.raises(Alarm) as caught:
        client.send_conversation(user_id, "Hi")
    assert sent[0].delivery is Delivery.DELIVERED
    assert isinstance(caught.value.__context__, userengage.CancelledError)


def test_a_handler_that_sends_can_be_interrupted_too(
    sandbox: Sandbox, client: Client, user_id: str, alarm: Callable[[Handler, float], None]
) -> None:
    sandbox.order("hang", user_id, times=2)

    def send_again(_signal: int, _frame: FrameType | None) -> None:
        alarm(ring, 0.05)
        client.send_conversation(user_id, "Hi")

    alarm(send_again, 0.05)
    begun = time.monotonic()
    with pytest.raises(Alarm):
        client.send_conversation(user_id, "Hi")
    assert time.monotonic() - begun < 1


def test_a_call_after_an_interrupted_one_works(
    sandbox: Sandbox, client: Client, user_id: str, alarm: Callable[[Handler, float], None]
) -> None:
    sandbox.order("hang", user_id, times=1)
    alarm(ring, 0.05)
    with pytest.raises(Alarm):
        client.send_conversation(user_id, "Hi")
    assert client.send_conversation(user_id, "Hi").delivery is Delivery.DELIVERED


def test_a_signal_in_the_last_moment_of_a_call_tells_what_is_known(
    client: Client, user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = _native.lib.ue_send_conversation

    def interrupted(*arguments: object) -> None:
        send(*arguments)
        raise Alarm

    monkeypatch.setattr(_native.lib, "ue_send_conversation", interrupted)
    with pytest.raises(Alarm) as caught:
        client.send_conversation("missing-" + user_id, "Hi")
    assert isinstance(caught.value.__context__, userengage.NotFoundError)


def test_a_signal_after_the_delivery_tells_of_the_delivery(
    client: Client, user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = _native.lib.ue_send_conversation

    def interrupted(*arguments: object) -> None:
        send(*arguments)
        raise Alarm

    monkeypatch.setattr(_native.lib, "ue_send_conversation", interrupted)
    with pytest.raises(Alarm) as caught:
        client.send_conversation(user_id, "Hi")
    known = caught.value.__context__
    assert isinstance(known, userengage.CancelledError)
    assert (known.status, known.delivery, known.retry) == (Status.OK, Delivery.DELIVERED, Retry.NEVER)
    assert str(known) == "The call was cancelled. The message was delivered before that. Do not send it again."
    assert str(pickle.loads(pickle.dumps(known))) == str(known)


def test_what_is_known_does_not_replace_what_was_handled(
    sandbox: Sandbox, client: Client, user_id: str, alarm: Callable[[Handler, float], None]
) -> None:
    def ring_while_handling(_signal: int, _frame: FrameType | None) -> None:
        try:
            raise LookupError
        except LookupError:
            raise Alarm  # noqa: B904

    sandbox.order("hang", user_id)
    alarm(ring_while_handling, 0.05)
    with pytest.raises(Alarm) as caught:
        client.send_conversation(user_id, "Hi")
    first = caught.value.__context__
    assert isinstance(first, LookupError)
    assert isinstance(first.__context__, userengage.CancelledError)


def test_no_signal_is_lost_wherever_a_call_stands(
    sandbox: Sandbox, user_id: str, alarm: Callable[[Handler, float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("userengage")
    dropped: list[object] = []
    lines = rung = caught = 0

    def count_line(_record: logging.LogRecord) -> bool:
        nonlocal lines
        lines += 1
        return False  # no handler runs: an exception there can leave the lock of `logging` held

    def count_ring(_signal: int, _frame: FrameType | None) -> None:
        nonlocal rung
        rung += 1
        raise Alarm

    def send_until_it_rings() -> None:
        before = rung
        alarm(count_ring, random.uniform(1e-6, 1e-3))
        while rung == before:
            client.send_conversation(user_id, "Hi")

    monkeypatch.setattr(sys, "unraisablehook", dropped.append)
    monkeypatch.setattr(logger, "filters", [count_line])
    monkeypatch.setattr(logger, "level", logging.DEBUG)
    logger.manager._clear_cache()  # type: ignore[attr-defined]  # pyright: ignore
    gc.collect()
    gc.disable()  # Python itself drops an exception of a handler that runs in a finalizer
    with sandbox.client() as client:
        for _ in range(300):
            try:
                send_until_it_rings()
            except Alarm:
                caught += 1
    gc.enable()
    assert (rung, caught, dropped) == (300, 300, [])
    assert lines > 300


def test_an_interrupted_batch_says_of_every_message_what_became_of_it(
    sandbox: Sandbox,
    client: Client,
    user_id: str,
    alarm: Callable[[Handler, float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # No handler of the log runs: an exception there can leave the lock of `logging` held.
    monkeypatch.setattr(logging.getLogger("userengage"), "disabled", True)

    def contents_of(requests: list[dict[str, Any]]) -> set[int]:
        return {int(json.loads(request["body"])["content"]) for request in requests}

    for number in range(50):
        of_round = f"{user_id}-{number}"
        journal: dict[int, userengage.Result] = {}
        results: list[userengage.Result] = []
        is_interrupted = False
        try:
            alarm(ring, random.uniform(1e-4, 3e-2))
            messages = (Message(of_round, str(message)) for message in range(200))
            results = client.send_conversations(messages, on_result=journal.__setitem__)
            alarm(ignore, 0)
        except Alarm as error:
            known: BaseException = error
            while known.__context__ is not None:
                known = known.__context__
            if isinstance(known, userengage.CancelledError):
                is_interrupted = True
                results = known.results
            else:  # it came before the batch began, or when all were told
                results = list(journal.values())
                is_interrupted = not results
        assert [journal[index] for index in sorted(journal)] == results
        sent = contents_of(sandbox.requests(of_round))
        delivered = {index for index, result in enumerate(results) if result.delivery is Delivery.DELIVERED}
        unknown = {index for index, result in enumerate(results) if result.delivery is Delivery.UNKNOWN}
        assert delivered <= sent <= delivered | unknown
        assert is_interrupted or len(delivered) == 200
