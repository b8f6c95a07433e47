"""`send_conversations`."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from sandbox import Sandbox

import userengage
from userengage import AsyncClient, BatchFlow, Client, Delivery, Message, Result, Retry, Source, Status
from userengage._queue import Queue


def test_results_come_in_the_messages_order(sandbox: Sandbox, client: Client, user_id: str) -> None:
    results = client.send_conversations(
        [
            Message(user_id, "one", user=926, source=Source.EMAIL, source_context={"id": 1}),
            {"client_user_id": "missing-user", "content": "two"},
            Message("", "three"),
            Message(user_id, "four"),
        ]
    )
    assert [result.status for result in results] == [
        Status.OK,
        Status.NOT_FOUND,
        Status.INVALID_ARGUMENT,
        Status.OK,
    ]
    bodies = [json.loads(request["body"]) for request in sandbox.requests(user_id)]
    assert bodies == [
        {"content": "one", "user": 926, "source": 2, "source_context": {"id": 1}},
        {"content": "four"},
    ]


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (Message(1.5, "Hi"), "client_user_id is of type float: give an int or a str"),  # type: ignore[arg-type]
        (Message(1, "Hi", user=0), "user is 0: give the positive id"),
        ({"client_user_id": 1}, "content is None: give a str"),
        (
            {"client_user_id": 1, "content": "Hi", "usr": 5},
            "usr is not a field of a message: give client_user_id, content, user, source, source_context, timeout, "
            "reference",
        ),
        ("Hi", "the message is of type str: give a Message, or a mapping of its fields"),
        (None, "the message is None: give a Message, or a mapping of its fields"),
        (Message(10**5000, "Hi"), "client_user_id "),
    ],
)
def test_a_message_that_cannot_be_sent_does_not_stop_the_others(
    client: Client, user_id: str, message: Any, fault: str
) -> None:
    wrong, right = client.send_conversations([message, Message(user_id, "Hi")])
    assert (wrong.status, wrong.delivery) == (Status.INVALID_ARGUMENT, Delivery.NOT_DELIVERED)
    assert wrong.message.startswith(fault)
    assert right.delivery is Delivery.DELIVERED


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"messages": Message(1, "Hi")}, "messages is of type Message: give a list or another iterable of them"),
        ({"messages": {"client_user_id": 1, "content": "Hi"}}, "messages is of type dict: give a list or"),
        ({"messages": "Hi"}, "messages is of type str: give a list or"),
        ({"messages": None}, "messages is None: give a list or"),
        ({"messages": [Message(1, "Hi")], "progress": "yes"}, "progress is of type str: give True, False or"),
        ({"messages": [], "max_failures_in_a_row": 1.5}, "max_failures_in_a_row is of type float: give an int"),
        ({"messages": [Message(1, "Hi")], "on_result": []}, "on_result is of type list: give a function of an index"),
    ],
)
def test_what_is_no_list_of_messages_is_a_type_error(client: Client, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        client.send_conversations(**arguments)
    assert str(caught.value).startswith(message)
    with pytest.raises(TypeError):
        asyncio.run(AsyncClient("key").send_conversations(**arguments))


def test_an_async_iterable_of_messages_is_refused_by_name(client: Client) -> None:
    async def messages() -> Any:
        yield Message(1, "Hi")

    given: Any = messages()
    for send in (client.send_conversations, lambda given: asyncio.run(AsyncClient("key").send_conversations(given))):
        with pytest.raises(TypeError) as caught:
            send(given)
        assert str(caught.value) == (
            "messages is of type async_generator: async iterables are not taken, give a list or another iterable"
        )


class _AsyncNoter:
    async def __call__(self, _index: int, _result: Result) -> None:
        pass


async def _note(_index: int, _result: Result) -> None:
    pass


async def _note_many(_index: int, _result: Result) -> Any:
    yield


@pytest.mark.parametrize("on_result", [_note, functools.partial(_note), _note_many, _AsyncNoter()])
def test_an_async_on_result_is_refused_before_anything_is_sent(
    sandbox: Sandbox, client: Client, user_id: str, on_result: Any
) -> None:
    with pytest.raises(TypeError, match="on_result is an async function: give one that is not async, or use Async"):
        client.send_conversations([Message(user_id, "Hi")], on_result=on_result)
    assert sandbox.requests(user_id) == []


@pytest.mark.parametrize("nothing", [list, lambda: iter(())])
def test_nothing_to_send_waits_for_nothing(
    client: Client, nothing: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Queue, "wait", None)
    assert client.send_conversations(nothing()) == []


@pytest.mark.parametrize(("max_connections", "most"), [(None, 16), (1, 9), (10, 20)])
def test_no_more_are_on_their_way_or_untold_than_the_readme_says(
    sandbox: Sandbox, user_id: str, max_connections: int | None, most: int
) -> None:
    read = told = 0
    untold = []

    def messages() -> Iterator[Message]:
        nonlocal read
        for number in range(500):
            read += 1
            yield Message(f"{user_id}-{number % 50}", "Hi") if number % 5 else Message("", "Hi")

    def note(_index: int, _result: Result) -> None:
        nonlocal told
        untold.append(read - told)
        told += 1

    with sandbox.client(max_connections=max_connections) as client:
        client.send_conversations(messages(), on_result=note)
    assert (read, told) == (500, 500)
    assert max(untold) == most


def test_a_generator_is_read_a_little_ahead(client: Client, user_id: str) -> None:
    read = 0
    ahead = []

    def messages() -> Iterator[Message]:
        nonlocal read
        for number in range(2_500):
            read += 1
            yield Message(f"{user_id}-{number % 50}", str(number))

    results = client.send_conversations(messages(), progress=lambda done: ahead.append(read - done))
    assert len(results) == read == 2_500
    assert {result.delivery for result in results} == {Delivery.DELIVERED}
    assert max(ahead) <= 16


def test_messages_to_one_user_keep_their_order(sandbox: Sandbox, client: Client, user_id: str) -> None:
    client.send_conversations(Message(user_id, str(number)) for number in range(50))
    assert [json.loads(request["body"])["content"] for request in sandbox.requests(user_id)] == [
        str(number) for number in range(50)
    ]


def test_progress_grows_up_to_the_number_of_messages(client: Client, user_id: str) -> None:
    told: list[int] = []
    client.send_conversations(
        [Message(user_id, "Hi"), Message("", "Hi"), {}, Message(user_id, "Hi")],
        progress=told.append,
    )
    assert told == [1, 2, 3, 4]


def test_progress_true_shows_a_bar_of_tqdm(client: Client, user_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    client.send_conversations([Message(user_id, "Hi")] * 3, progress=True)
    assert "3/3" in capsys.readouterr().err


def test_progress_true_without_tqdm_shows_nothing(
    client: Client, user_id: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert len(client.send_conversations([Message(user_id, "Hi")], progress=True)) == 1
    assert capsys.readouterr().err == ""


def test_what_progress_raises_ends_the_sending_and_tells_what_was_sent(client: Client, user_id: str) -> None:
    def stop(done: int) -> None:
        if done == 5:
            raise LookupError("five")

    with pytest.raises(LookupError, match="five") as caught:
        client.send_conversations((Message(f"{user_id}-{number}", "Hi") for number in range(900)), progress=stop)
    known = caught.value.__context__
    assert isinstance(known, userengage.CancelledError)
    deliveries = [result.delivery for result in known.results]
    delivered, unknown = deliveries.count(Delivery.DELIVERED), deliveries.count(Delivery.UNKNOWN)
    assert 5 <= delivered <= len(deliveries) < 900
    assert str(known) == (
        f"Of the messages {len(deliveries)} were read, {delivered} were delivered, and {unknown} may have been: "
        "`results` tells which."
    )


def test_what_the_messages_raise_is_raised_when_those_in_flight_are_finished(
    sandbox: Sandbox, client: Client, user_id: str
) -> None:
    sandbox.order("delay", user_id, ms=100)
    told = []

    def messages() -> Iterator[Message]:
        yield Message(user_id, "Hi")
        while not sandbox.requests(user_id):
            yield Message(user_id + "-other", "Hi")
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more") as caught:
        client.send_conversations(messages(), on_result=lambda index, _: told.append(index))
    known = caught.value.__context__
    assert isinstance(known, userengage.CancelledError)
    assert known.results[0].delivery is Delivery.DELIVERED
    assert {result.delivery for result in known.results} == {Delivery.DELIVERED}
    assert sorted(told) == list(range(len(known.results)))


def test_an_outcome_is_told_while_another_message_hangs(sandbox: Sandbox, client: Client, user_id: str) -> None:
    sandbox.order("hang", user_id)
    told: list[tuple[int, Result]] = []

    def stop(index: int, result: Result) -> BatchFlow | None:
        told.append((index, result))
        return BatchFlow.ABORT if index else None

    results = client.send_conversations([Message(user_id, "Hi"), Message(user_id + "-other", "Hi")], on_result=stop)
    assert [result.delivery for result in results][1] is Delivery.DELIVERED
    assert results[0].status is Status.CANCELLED
    assert told == [(1, results[1]), (0, results[0])]


def test_finish_begins_no_more_and_makes_nothing_unknown(sandbox: Sandbox, user_id: str) -> None:
    sandbox.order("delay", user_id, ms=100)
    messages = [Message(user_id + "-first", "Hi"), Message(user_id, "Hi")]
    messages += [Message(f"{user_id}-{number}", "Hi") for number in range(200)]
    told = []

    def stop(index: int, _result: Result) -> BatchFlow:
        told.append(index)
        return BatchFlow.FINISH

    with sandbox.client(max_connections=2) as client:
        results = client.send_conversations(messages, on_result=stop)
    assert len(results) == len(messages)
    assert [result.delivery for result in results[:2]] == [Delivery.DELIVERED] * 2
    assert {result.delivery for result in results} == {Delivery.DELIVERED, Delivery.NOT_DELIVERED}
    assert {result.retry for result in results[2:] if result.delivery is not Delivery.DELIVERED} == {Retry.LATER}
    assert sorted(told) == list(range(len(messages)))


def test_after_an_end_an_iterator_is_read_no_further(client: Client, user_id: str) -> None:
    numbers = itertools.count()
    results = client.send_conversations(
        (Message(f"{user_id}-{number}", "Hi") for number in numbers), on_result=lambda _index, _: BatchFlow.FINISH
    )
    assert next(numbers) == len(results)


@pytest.mark.parametrize("value", [0, 1, 2, True, False, "FINISH", object()])
def test_what_is_no_flow_begins_no_more_and_is_a_type_error(
    sandbox: Sandbox, client: Client, user_id: str, value: object
) -> None:
    sandbox.order("delay", user_id, ms=100)
    told = []

    def note(index: int, _result: Result) -> Any:
        told.append(index)
        sandbox.wait_for_request(user_id)
        return value

    numbers = itertools.count()
    messages = (Message(user_id if number == 1 else f"{user_id}-{number}", "Hi") for number in numbers)
    with pytest.raises(TypeError) as caught:
        client.send_conversations(messages, on_result=note)
    assert str(caught.value) == (
        f"on_result returned a value of type {type(value).__name__}: return a BatchFlow, or None to go on"
    )
    known = caught.value.__context__
    assert isinstance(known, userengage.CancelledError)
    assert sorted(told) == list(range(len(known.results)))
    assert known.results[1].delivery is Delivery.DELIVERED
    assert Delivery.UNKNOWN not in {result.delivery for result in known.results}


def test_the_flow_continue_goes_on(client: Client, user_id: str) -> None:
    results = client.send_conversations([Message(user_id, "Hi")] * 3, on_result=lambda *_: BatchFlow.CONTINUE)
    assert [result.delivery for result in results] == [Delivery.DELIVERED] * 3


def test_an_outage_makes_as_many_failures_as_were_allowed(sandbox: Sandbox, user_id: str) -> None:
    sandbox.order("status", user_id, status=500, times=100)
    with sandbox.client(max_connections=4) as client:
        results = client.send_conversations([Message(user_id, "Hi")] * 300, max_failures_in_a_row=3)
    assert [result.status for result in results] == [Status.SERVER_ERROR] * 3 + [Status.SUSPENDED] * 297
    assert {(result.delivery, result.retry) for result in results[3:]} == {(Delivery.NOT_DELIVERED, Retry.LATER)}
    assert "max_failures_in_a_row" in results[-1].message
    assert len(sandbox.requests(user_id)) == 3


def test_a_result_carries_the_reference_of_its_message(client: Client, user_id: str) -> None:
    rows = [object(), object(), object()]
    results = client.send_conversations(
        [
            Message(user_id, "Hi", reference=rows[0]),
            {"client_user_id": user_id, "content": "Hi", "reference": rows[1]},
            Message("", "Hi", reference=rows[2]),
            Message(user_id, "Hi"),
        ]
    )
    assert [result.reference for result in results] == [*rows, None]


def test_a_message_can_have_a_timeout_of_its_own(sandbox: Sandbox, client: Client, user_id: str) -> None:
    sandbox.order("hang", user_id)
    hung, delivered, refused = client.send_conversations(
        [Message(user_id, "Hi", timeout=0.1), Message(user_id, "Hi"), Message(user_id, "Hi", timeout=-1)]
    )
    assert (hung.status, hung.delivery) == (Status.TIMEOUT, Delivery.UNKNOWN)
    assert delivered.delivery is Delivery.DELIVERED
    assert refused.message.startswith("timeout is -1: give more than 0")


def test_closing_ends_a_batch(sandbox: Sandbox, client: Client, user_id: str) -> None:
    sandbox.order("hang", user_id)
    results = client.send_conversations(
        [Message(user_id, "Hi"), Message(user_id + "-other", "Hi"), *[Message(user_id, "Hi")] * 300],
        on_result=lambda _index, _: client.close(),
    )
    assert results[1].delivery is Delivery.DELIVERED
    assert {result.status for result in (results[0], *results[2:])} == {Status.CLOSED}
    with pytest.raises(userengage.ClosedError):
        client.send_conversations([Message(user_id, "Hi")])


def test_the_child_of_a_fork_in_a_batch_leaves_it_to_the_parent(client: Client, sandbox: Sandbox, user_id: str) -> None:
    children = []

    def fork(index: int, _result: Result) -> None:
        if index == 0:
            children.append(os.fork())

    try:
        results = client.send_conversations([Message(user_id, str(number)) for number in range(50)], on_result=fork)
    except userengage.CancelledError as error:
        known = error.__context__
        is_told = isinstance(known, userengage.CancelledError) and known.results[0].delivery is Delivery.DELIVERED
        os._exit(0 if error.delivery is Delivery.UNKNOWN and is_told else 1)
    except BaseException:  # noqa: BLE001
        os._exit(2)
    if children == [0]:
        os._exit(3)
    assert os.waitpid(children[0], 0)[1] == 0
    assert {result.delivery for result in results} == {Delivery.DELIVERED}
    assert len(sandbox.requests(user_id)) == 50


def test_what_is_raised_while_messages_are_converted_tells_what_was_sent(
    sandbox: Sandbox, client: Client, user_id: str
) -> None:
    sandbox.order("hang", user_id)

    class Interrupting(dict[str, object]):
        def get(self, _name: str, _default: object = None) -> object:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        client.send_conversations([Message(user_id, "Hi"), {}, Interrupting()])
    known = caught.value.__context__
    assert isinstance(known, userengage.CancelledError)
    statuses = [result.status for result in known.results]
    assert statuses == [Status.CANCELLED, Status.INVALID_ARGUMENT, Status.CANCELLED]


def press_ctrl_c() -> None:
    """On the main thread, where Python's handler raises at once."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_after_ctrl_c_every_outcome_is_told(sandbox: Sandbox, client: Client, user_id: str) -> None:
    hanging = [f"{user_id}-{number}" for number in range(4)]
    for receiver in hanging:
        sandbox.order("hang", receiver)
    journal: dict[int, Result] = {}

    def note(index: int, result: Result) -> BatchFlow:
        if not journal:
            for receiver in hanging:
                sandbox.wait_for_request(receiver)
            journal[-1] = result
            press_ctrl_c()  # before this outcome is noted
        journal[index] = result
        return BatchFlow.ABORT

    messages = [*hanging, "", *[f"{user_id}-other-{number}" for number in range(100)]]
    with pytest.raises(KeyboardInterrupt) as caught:
        client.send_conversations([Message(receiver, "Hi") for receiver in messages], on_result=note)
    del journal[-1]
    known = caught.value.__context__
    assert isinstance(known, userengage.CancelledError)
    assert [journal[index] for index in sorted(journal)] == known.results
    assert [result.delivery for result in known.results[:4]] == [Delivery.UNKNOWN] * 4
    assert known.results[4].status is Status.INVALID_ARGUMENT


@pytest.mark.parametrize("failure", [LookupError("secret"), KeyboardInterrupt(), SystemExit(3)])
def test_what_on_result_raises_after_ctrl_c_does_not_hide_it(
    sandbox: Sandbox, client: Client, user_id: str, failure: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.order("hang", user_id)
    told = []

    def note(index: int, _result: Result) -> None:
        told.append(index)
        if len(told) == 1:
            sandbox.wait_for_request(user_id)
            press_ctrl_c()
        raise failure

    messages = [Message(user_id, "Hi"), Message("", "Hi"), Message(user_id, "Hi")]
    with pytest.raises(KeyboardInterrupt) as caught:
        client.send_conversations(iter(messages), on_result=note)
    assert caught.value is not failure
    assert isinstance(caught.value.__context__, userengage.CancelledError)
    assert len(told) == 1 + len(caught.value.__context__.results)
    texts = [record.getMessage() for record in caplog.records if "on_result" in record.getMessage()]
    assert texts[0] == (
        f"on_result raised {type(failure).__name__} as it was told the outcome of message 0, after the batch had ended "
        "early."
    )
    assert "secret" not in caplog.text


def test_what_on_result_raises_is_followed_by_the_outcomes_that_it_was_not_told(
    sandbox: Sandbox, client: Client, user_id: str
) -> None:
    sandbox.order("hang", user_id)
    told = []

    def note(index: int, _result: Result) -> None:
        told.append(index)
        if len(told) == 1:
            raise LookupError

    with pytest.raises(LookupError) as caught:
        client.send_conversations([Message(user_id, "Hi"), Message(user_id + "-other", "Hi")], on_result=note)
    assert told == [1, 0]
    known = caught.value.__context__
    assert isinstance(known, userengage.CancelledError)
    assert known.results[0].status is Status.CANCELLED


def test_ctrl_c_ends_the_sending_and_tells_what_was_sent(sandbox: Sandbox, client: Client, user_id: str) -> None:
    sandbox.order("hang", user_id)

    def press() -> None:
        sandbox.wait_for_request(user_id)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    keyboard = threading.Thread(target=press)
    try:
        keyboard.start()
        with pytest.raises(KeyboardInterrupt) as caught:
            client.send_conversations([Message(user_id + "-other", "Hi"), Message(user_id, "Hi")])
    finally:
        keyboard.join()
        signal.signal(signal.SIGINT, before)
    known = caught.value.__context__
    assert isinstance(known, userengage.CancelledError)
    assert [result.delivery for result in known.results] == [Delivery.DELIVERED, Delivery.UNKNOWN]


def test_a_message_does_not_show_its_content() -> None:
    assert repr(Message(42, "secret", 926, source_context={"a": "secret"}, reference="secret")) == (
        "Message(client_user_id=42, user=926, source=None)"
    )


def test_asyncio_sends_many_and_tells_progress_in_the_loop(sandbox: Sandbox, user_id: str) -> None:
    told: list[tuple[int, int]] = []

    async def main() -> list[userengage.Result]:
        async with AsyncClient(sandbox.api_key, base_url=sandbox.base_url) as client:
            results = await client.send_conversations(
                [Message(user_id, "Hi")] * 20, progress=lambda done: told.append((done, threading.get_ident()))
            )
            await asyncio.sleep(0)
            return results

    assert len(asyncio.run(main())) == 20
    assert told[-1] == (20, threading.get_ident())
    assert {thread for _, thread in told} == {threading.get_ident()}


def test_asyncio_tells_what_was_sent_when_it_is_cancelled(sandbox: Sandbox, user_id: str) -> None:
    sandbox.order("hang", user_id)
    known: list[BaseException | None] = []

    async def send(client: AsyncClient) -> None:
        try:
            await client.send_conversations([Message(user_id + "-other", "Hi"), Message(user_id, "Hi")])
        except asyncio.CancelledError as error:
            known.append(error.__context__)
            raise

    async def main() -> None:
        async with AsyncClient(sandbox.api_key, base_url=sandbox.base_url) as client:
            sending = asyncio.ensure_future(send(client))
            await asyncio.to_thread(sandbox.wait_for_request, user_id)
            sending.cancel()
            await asyncio.wait([sending])

    asyncio.run(main())
    (error,) = known
    assert isinstance(error, userengage.CancelledError)
    assert [result.delivery for result in error.results] == [Delivery.DELIVERED, Delivery.UNKNOWN]
