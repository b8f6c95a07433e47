"""What holds for `AsyncClient` under every kind of event loop: asyncio's, uvloop's and trio's, written with anyio."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Awaitable, Iterator
from typing import Any, Callable

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from sandbox import Sandbox
from threads import assert_no_library_threads, library_threads

import userengage
from userengage import AsyncClient, BatchFlow, Delivery, Message, Result, Status

Test = Callable[[AsyncClient], Awaitable[Any]]
LOOPS: dict[str, dict[str, Any]] = {
    "asyncio": {"backend": "asyncio"},
    "uvloop": {"backend": "asyncio", "backend_options": {"use_uvloop": True}},
    "trio": {"backend": "trio"},
}


@pytest.fixture(params=list(LOOPS.values()), ids=list(LOOPS))
def run(request: pytest.FixtureRequest, sandbox: Sandbox) -> Callable[..., Any]:
    """Runs an async function with a client that tries once, closes the client, and checks that no thread is left."""

    def run_with_client(test: Test, **options: Any) -> Any:
        async def main() -> Any:
            options_of_test = {"base_url": sandbox.base_url, "max_attempts": 1, "timeout": 10, **options}
            async with AsyncClient(sandbox.api_key, **options_of_test) as client:
                return await test(client)

        result = anyio.run(main, **request.param)
        assert_no_library_threads()
        return result

    return run_with_client


class Call:
    """A call in a task of its own, and what became of it."""

    def __init__(self, sending: Awaitable[Any]) -> None:
        self._sending = sending
        self.scope = anyio.CancelScope()
        self.result: Any = None
        self.error: BaseException | None = None

    async def __call__(self) -> None:
        with self.scope:
            try:
                self.result = await self._sending
            except BaseException as error:
                self.error = error
                if isinstance(error, Exception):
                    return
                raise

    @property
    def known(self) -> BaseException | None:
        """The last exception of the chain of contexts."""
        error = self.error
        while error is not None and error.__context__ is not None:
            error = error.__context__
        return error


def test_a_message_is_delivered(sandbox: Sandbox, run: Callable[..., Any], user_id: str) -> None:
    async def test(client: AsyncClient) -> Result:
        return await client.send_conversation(user_id, "Hi", user=926, source_context=[1])

    assert run(test).delivery is Delivery.DELIVERED
    assert sandbox.only_request(user_id)["body"] == '{"content":"Hi","user":926,"source_context":[1]}'


def test_errors_are_those_of_client(run: Callable[..., Any]) -> None:
    async def test(client: AsyncClient) -> None:
        with pytest.raises(userengage.NotFoundError) as caught:
            await client.send_conversation("missing-user", "Hi")
        assert isinstance(caught.value, userengage.PermanentError)
        for content in ("", "\0"):
            with pytest.raises(userengage.InvalidArgumentError):
                await client.send_conversation(1, content)
        with pytest.raises(TypeError):
            await client.send_conversation(None, "Hi")  # type: ignore[arg-type]  # pyright: ignore

    run(test)


def test_any_number_of_calls_share_a_few_connections_and_no_thread_of_python(
    sandbox: Sandbox, run: Callable[..., Any], user_id: str
) -> None:
    async def test(client: AsyncClient) -> None:
        before = threading.active_count()
        async with anyio.create_task_group() as group:
            for number in range(300):
                group.start_soon(client.send_conversation, f"{user_id}-{number % 10}", str(number))
        assert threading.active_count() == before
        assert library_threads() == 1

    run(test, max_connections=4)
    requests = [request for number in range(10) for request in sandbox.requests(f"{user_id}-{number}")]
    assert len({request["body"] for request in requests}) == 300
    assert len({request["connection"] for request in requests}) <= 4


def test_messages_to_one_user_keep_their_order(sandbox: Sandbox, run: Callable[..., Any], user_id: str) -> None:
    async def test(client: AsyncClient) -> None:
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(client.send_conversation, user_id, "Hi")

    run(test)
    assert len({request["connection"] for request in sandbox.requests(user_id)}) == 1


def test_a_call_that_waits_for_its_turn_ends_at_its_own_timeout(
    sandbox: Sandbox, run: Callable[..., Any], user_id: str
) -> None:
    async def test(client: AsyncClient) -> None:
        for number in range(8):
            sandbox.order("hang", f"{user_id}-{number}")
        hanging = [Call(client.send_conversation(f"{user_id}-{number}", "Hi")) for number in range(8)]
        waiting = [Call(client.send_conversation(f"{user_id}-{number}", "Hi", timeout=0.2)) for number in range(8, 16)]
        async with anyio.create_task_group() as group:
            for call in hanging:
                group.start_soon(call)
            for number in range(8):
                await anyio.to_thread.run_sync(sandbox.wait_for_request, f"{user_id}-{number}")
            async with anyio.create_task_group() as inner:
                for call in waiting:
                    inner.start_soon(call)
            assert all(call.error is None for call in hanging)
            group.cancel_scope.cancel()
        for call in waiting:
            assert isinstance(call.error, userengage.TimedOutError)
            assert isinstance(call.error, userengage.RetryableError)
            assert (call.error.delivery, call.error.attempts) == (Delivery.NOT_DELIVERED, 0)
            assert call.error.result.elapsed >= 0.2

    run(test, max_connections=8)
    assert all(sandbox.requests(f"{user_id}-{number}") == [] for number in range(8, 16))


def test_a_cancelled_call_says_what_is_known(sandbox: Sandbox, run: Callable[..., Any], user_id: str) -> None:
    async def test(client: AsyncClient) -> Call:
        sandbox.order("hang", user_id)
        call = Call(client.send_conversation(user_id, "Hi"))
        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await anyio.to_thread.run_sync(sandbox.wait_for_request, user_id)
            call.scope.cancel()
        return call

    call = run(test)
    assert not isinstance(call.error, Exception)
    assert isinstance(call.known, userengage.CancelledError)
    assert (call.known.delivery, call.known.attempts) == (Delivery.UNKNOWN, 1)
    assert isinstance(call.known, userengage.UncertainError)


def test_a_call_cancelled_before_its_turn_sends_nothing(
    sandbox: Sandbox, run: Callable[..., Any], user_id: str
) -> None:
    async def test(client: AsyncClient) -> None:
        sandbox.order("hang", user_id)
        first = Call(client.send_conversation(user_id, "Hi"))
        waiting = [Call(client.send_conversation(f"{user_id}-{number}", "Hi")) for number in range(100)]
        async with anyio.create_task_group() as group:
            group.start_soon(first)
            await anyio.to_thread.run_sync(sandbox.wait_for_request, user_id)
            async with anyio.create_task_group() as inner:
                for call in waiting:
                    inner.start_soon(call)
                await anyio.wait_all_tasks_blocked()
                inner.cancel_scope.cancel()
            for call in waiting:
                assert isinstance(call.known, userengage.CancelledError)
                assert call.known.delivery is Delivery.NOT_DELIVERED
            first.scope.cancel()
        await client.send_conversation(user_id + "-later", "Hi")

    run(test, max_connections=1)
    assert all(sandbox.requests(f"{user_id}-{number}") == [] for number in range(100))
    assert len(sandbox.requests(user_id + "-later")) == 1


def test_fail_after_ends_a_call(sandbox: Sandbox, run: Callable[..., Any], user_id: str) -> None:
    async def test(client: AsyncClient) -> Call:
        sandbox.order("hang", user_id)
        call = Call(client.send_conversation(user_id, "Hi"))
        with pytest.raises(TimeoutError):
            with anyio.fail_after(0.1):
                await call()
        return call

    call = run(test)
    assert isinstance(call.known, userengage.CancelledError)


def test_a_failure_ends_the_other_calls_of_a_task_group(
    sandbox: Sandbox, run: Callable[..., Any], user_id: str
) -> None:
    async def test(client: AsyncClient) -> Call:
        sandbox.order("hang", user_id)
        call = Call(client.send_conversation(user_id, "Hi"))
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(call)
                await anyio.to_thread.run_sync(sandbox.wait_for_request, user_id)
                group.start_soon(client.send_conversation, "missing-user", "Hi")
        except Exception as failed:  # noqa: BLE001 (an ExceptionGroup, which Python 3.10 does not have)
            errors.extend(failed.exceptions)  # type: ignore[attr-defined]  # pyright: ignore
        return call

    errors: list[BaseException] = []
    call = run(test)
    assert [type(error).__name__ for error in errors] == ["NotFoundError"]
    assert isinstance(call.known, userengage.CancelledError)
    assert call.known.delivery is Delivery.UNKNOWN


def test_closing_ends_the_calls_in_flight_and_the_later_ones(
    sandbox: Sandbox, run: Callable[..., Any], user_id: str
) -> None:
    async def test(client: AsyncClient) -> None:
        sandbox.order("hang", user_id, times=2)
        sending = [Call(client.send_conversation(user_id, "Hi")) for _ in range(20)]
        batch = Call(client.send_conversations([Message(user_id, "Hi")] * 3))
        async with anyio.create_task_group() as group:
            for call in (*sending, batch):
                group.start_soon(call)
            await anyio.to_thread.run_sync(sandbox.wait_for_request, user_id)
            await client.aclose()
            await client.aclose()  # any number of times
        assert {type(call.error).__name__ for call in sending} == {"ClosedError"}
        assert {result.status for result in batch.result} == {Status.CLOSED}
        with pytest.raises(userengage.ClosedError):
            await client.send_conversation(user_id, "Hi")
        with pytest.raises(userengage.ClosedError):
            await client.send_conversations([Message(user_id, "Hi")])

    run(test)


def test_lines_go_to_the_log(run: Callable[..., Any], user_id: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test(client: AsyncClient) -> userengage.Error:
        await client.send_conversation(user_id, "Hi")
        with pytest.raises(userengage.NotFoundError) as caught:
            await client.send_conversation("missing-" + user_id, "Hi")
        return caught.value

    caplog.set_level(logging.INFO, "userengage")
    error = run(test)
    lines = [record for record in caplog.records if record.name == "userengage"]
    assert [record.levelname for record in lines] == ["INFO", "ERROR"]
    assert lines[1].getMessage() == str(error)


@pytest.mark.parametrize("is_async", [False, True])
def test_each_outcome_of_many_messages_is_told_as_it_is_known(
    sandbox: Sandbox, run: Callable[..., Any], user_id: str, is_async: bool
) -> None:
    told: list[tuple[int, Result]] = []
    threads = set()

    def on_result(index: int, result: Result) -> Any:
        told.append((index, result))
        threads.add(threading.get_ident())
        flow = BatchFlow.ABORT if len(told) == 20 else None

        async def later() -> Any:
            await anyio.lowlevel.checkpoint()
            return flow

        return later() if is_async else flow

    async def test(client: AsyncClient) -> list[Result]:
        sandbox.order("hang", user_id)
        messages = [Message(user_id, "Hi", reference="row")] + [Message(user_id + "-other", "Hi")] * 19
        return await client.send_conversations([*messages, Message("", "Hi")], on_result=on_result)

    results = run(test)
    assert [result.status for result in results[1:]] == [Status.OK] * 19 + [Status.INVALID_ARGUMENT]
    assert (results[0].status, results[0].reference) == (Status.CANCELLED, "row")
    assert sorted(index for index, _ in told) == list(range(21))
    assert told[-1] == (0, results[0])
    assert all(results[index] is result for index, result in told)
    assert threads == {threading.get_ident()}


def test_while_an_outcome_is_told_no_more_is_read_than_a_little_ahead(run: Callable[..., Any], user_id: str) -> None:
    read = told = 0
    ahead = []

    def messages() -> Iterator[Message]:
        nonlocal read
        for number in range(300):
            read += 1
            yield Message(f"{user_id}-{number}", "Hi")

    async def on_result(_index: int, _result: Result) -> None:
        nonlocal told
        await anyio.wait_all_tasks_blocked()
        told += 1
        ahead.append(read - told)

    async def test(client: AsyncClient) -> list[Result]:
        return await client.send_conversations(messages(), on_result=on_result)

    assert len(run(test, max_connections=1)) == told == 300
    assert max(ahead) < 9


def test_nothing_to_send_comes_to_nothing(run: Callable[..., Any]) -> None:
    async def test(client: AsyncClient) -> None:
        with anyio.fail_after(5):
            assert await client.send_conversations([]) == []
            assert await client.send_conversations(iter(())) == []

    run(test)


@pytest.mark.parametrize("is_async", [False, True])
def test_many_that_are_cancelled_are_told(
    sandbox: Sandbox, run: Callable[..., Any], user_id: str, is_async: bool
) -> None:
    hanging = [f"{user_id}-{number}" for number in range(4)]
    journal: dict[int, Result] = {}

    async def later(index: int, result: Result) -> None:
        await anyio.lowlevel.checkpoint()
        journal[index] = result

    def on_result(index: int, result: Result) -> Any:
        if is_async:
            return later(index, result)
        journal[index] = result
        return None

    async def test(client: AsyncClient) -> Call:
        for receiver in hanging:
            sandbox.order("hang", receiver)
        messages = [Message(receiver, "Hi") for receiver in [*hanging, *hanging, ""]]
        call = Call(client.send_conversations(messages, on_result=on_result))
        async with anyio.create_task_group() as group:
            group.start_soon(call)
            for receiver in hanging:
                await anyio.to_thread.run_sync(sandbox.wait_for_request, receiver)
            call.scope.cancel()
        return call

    call = run(test)
    assert isinstance(call.known, userengage.CancelledError)
    assert [journal[index] for index in sorted(journal)] == call.known.results
    assert [result.delivery for result in call.known.results[:4]] == [Delivery.UNKNOWN] * 4


def test_an_outcome_whose_telling_is_cancelled_is_told_again(run: Callable[..., Any], user_id: str) -> None:
    told: list[int] = []

    async def test(client: AsyncClient) -> Call:
        begun = anyio.Event()

        async def on_result(index: int, _result: Result) -> None:
            if not begun.is_set():
                begun.set()
                await anyio.sleep_forever()
            await anyio.lowlevel.checkpoint()
            told.append(index)

        call = Call(client.send_conversations([Message(user_id, "Hi")] * 2, on_result=on_result))
        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await begun.wait()
            call.scope.cancel()
        return call

    call = run(test)
    assert isinstance(call.known, userengage.CancelledError)
    assert told == [0, 1]


def test_what_the_messages_raise_is_raised_when_those_before_it_are_finished(
    run: Callable[..., Any], user_id: str
) -> None:
    told: list[int] = []

    def messages() -> Iterator[Message]:
        yield from [Message(user_id, "Hi")] * 7
        raise LookupError

    async def test(client: AsyncClient) -> None:
        with pytest.raises(LookupError) as caught:
            await client.send_conversations(messages(), on_result=lambda index, _: told.append(index))
        known = caught.value.__context__
        assert isinstance(known, userengage.CancelledError)
        assert [result.delivery for result in known.results] == [Delivery.DELIVERED] * 7

    run(test)
    assert told == list(range(7))


@pytest.mark.parametrize("is_async", [False, True])
def test_what_is_no_flow_is_a_type_error(run: Callable[..., Any], user_id: str, is_async: bool) -> None:
    async def later() -> bool:
        return True

    def on_result(_index: int, _result: Result) -> Any:
        return later() if is_async else True

    async def test(client: AsyncClient) -> None:
        with pytest.raises(TypeError, match="on_result returned a value of type bool: return a BatchFlow, or None"):
            await client.send_conversations([Message(user_id, "Hi")] * 3, on_result=on_result)

    run(test)


def test_many_that_are_cancelled_say_what_is_known(sandbox: Sandbox, run: Callable[..., Any], user_id: str) -> None:
    async def test(client: AsyncClient) -> Call:
        sandbox.order("hang", user_id)
        messages = [Message(user_id, "Hi"), Message(user_id, "Hi"), Message("", "Hi")]
        call = Call(client.send_conversations(messages))
        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await anyio.to_thread.run_sync(sandbox.wait_for_request, user_id)
            call.scope.cancel()
        return call

    call = run(test)
    assert isinstance(call.known, userengage.CancelledError)
    assert [(result.status, result.delivery) for result in call.known.results] == [
        (Status.CANCELLED, Delivery.UNKNOWN),
        (Status.CANCELLED, Delivery.NOT_DELIVERED),
        (Status.INVALID_ARGUMENT, Delivery.NOT_DELIVERED),
    ]
    assert len(sandbox.requests(user_id)) == 1


def test_many_end_with_what_on_result_raises(sandbox: Sandbox, run: Callable[..., Any], user_id: str) -> None:
    def on_result(_index: int, _result: Result) -> None:
        raise LookupError

    async def test(client: AsyncClient) -> None:
        sandbox.order("hang", user_id)
        with pytest.raises(LookupError) as caught:
            await client.send_conversations(
                [Message(user_id, "Hi"), Message(user_id + "-other", "Hi")], on_result=on_result
            )
        known = caught.value.__context__
        assert isinstance(known, userengage.CancelledError)
        assert known.results[1].delivery is Delivery.DELIVERED
        assert known.results[0].status is Status.CANCELLED

    run(test)


def test_an_outage_makes_as_many_failures_as_were_allowed(
    sandbox: Sandbox, run: Callable[..., Any], user_id: str
) -> None:
    async def test(client: AsyncClient) -> list[Result]:
        sandbox.order("status", user_id, status=500, times=100)
        return await client.send_conversations([Message(user_id, "Hi")] * 300, max_failures_in_a_row=3)

    statuses = [result.status for result in run(test)]
    assert statuses == [Status.SERVER_ERROR] * 3 + [Status.SUSPENDED] * 297


def test_what_is_refused_leaves_nothing_behind(run: Callable[..., Any]) -> None:
    async def test(client: AsyncClient) -> None:
        with pytest.raises(userengage.InvalidArgumentError):
            await client.send_conversation("a\nb", "Hi")
        assert client._queue().queue.waiting == {}

    run(test)


def test_a_handler_of_the_log_that_raises_ends_no_call(
    run: Callable[..., Any], user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_record: logging.LogRecord) -> bool:
        raise LookupError

    async def test(client: AsyncClient) -> None:
        for number in range(3):
            with pytest.raises(userengage.NotFoundError):
                await client.send_conversation(f"missing-{user_id}-{number}", "Hi")

    monkeypatch.setattr(sys, "excepthook", lambda *_error: None)  # trio
    monkeypatch.setattr(logging.getLogger("asyncio"), "disabled", True)
    monkeypatch.setattr(logging.getLogger("userengage"), "filters", [broken])
    run(test)
