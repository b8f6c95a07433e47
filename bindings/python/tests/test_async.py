"""`AsyncClient`."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable
from typing import Any, Callable

import pytest
from sandbox import Sandbox

import userengage
from userengage import AsyncClient, Delivery


def client_threads() -> int:
    return sum(thread.name == "userengage" for thread in threading.enumerate())


@pytest.fixture
def run(sandbox: Sandbox) -> Callable[..., Any]:
    """Runs a coroutine function with a client, closes the client, and checks that no thread is left."""

    def run_with_client(test: Callable[[AsyncClient], Awaitable[Any]], **options: Any) -> Any:
        async def main() -> Any:
            async with AsyncClient(
                sandbox.api_key, **{"base_url": sandbox.base_url, "max_attempts": 1, "timeout": 10, **options}
            ) as client:
                return await test(client)

        result = asyncio.run(main())
        assert client_threads() == 0
        return result

    return run_with_client


def test_a_message_is_delivered(sandbox: Sandbox, run: Callable[..., Any], user_id: str) -> None:
    async def test(client: AsyncClient) -> userengage.Result:
        return await client.send_conversation(user_id, "Hi", user=926, source_context=[1])

    assert run(test).delivery is Delivery.DELIVERED
    assert sandbox.only_request(user_id)["body"] == '{"content":"Hi","user":926,"source_context":[1]}'


def test_errors_are_those_of_client(run: Callable[..., Any]) -> None:
    async def test(client: AsyncClient) -> None:
        with pytest.raises(userengage.NotFoundError):
            await client.send_conversation("missing-user", "Hi")
        with pytest.raises(userengage.InvalidArgumentError):
            await client.send_conversation("", "Hi")
        with pytest.raises(TypeError):
            await client.send_conversation(None, "Hi")  # type: ignore[arg-type]  # pyright: ignore

    run(test)


def test_many_at_once_share_a_client_and_a_few_threads(sandbox: Sandbox, run: Callable[..., Any], user_id: str) -> None:
    async def test(client: AsyncClient) -> int:
        await asyncio.gather(*(client.send_conversation(user_id, str(number)) for number in range(300)))
        return client_threads()

    assert 1 <= run(test, max_connections=4) <= 4
    requests = sandbox.requests(user_id)
    assert len({request["body"] for request in requests}) == 300
    assert len({request["connection"] for request in requests}) <= 4


def test_one_after_another_needs_one_thread(run: Callable[..., Any], user_id: str) -> None:
    async def test(client: AsyncClient) -> int:
        for _ in range(10):
            await client.send_conversation(user_id, "Hi")
        return client_threads()

    assert run(test) == 1


def test_the_loop_goes_on_while_a_message_waits(sandbox: Sandbox, run: Callable[..., Any], user_id: str) -> None:
    async def test(client: AsyncClient) -> int:
        sandbox.order("delay", user_id, ms=200)
        sending = asyncio.ensure_future(client.send_conversation(user_id, "Hi"))
        turns = 0
        while not sending.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert run(test) > 100


def test_a_cancelled_call_ends_soon_and_says_what_is_known(
    sandbox: Sandbox, run: Callable[..., Any], user_id: str
) -> None:
    async def test(client: AsyncClient) -> None:
        sandbox.order("hang", user_id)
        known: list[BaseException | None] = []

        async def send() -> None:
            try:
                await client.send_conversation(user_id, "Hi")
            except asyncio.CancelledError as error:
                known.append(error.__context__)
                raise

        sending = asyncio.ensure_future(send())
        await asyncio.to_thread(sandbox.wait_for_request, user_id)
        begun = time.monotonic()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert time.monotonic() - begun < 0.2
        (error,) = known
        assert isinstance(error, userengage.CancelledError)
        assert error.delivery is Delivery.UNKNOWN

    run(test)


def test_a_call_cancelled_before_its_turn_sends_nothing(
    sandbox: Sandbox, run: Callable[..., Any], user_id: str
) -> None:
    async def test(client: AsyncClient) -> None:
        sandbox.order("hang", user_id)
        first = asyncio.ensure_future(client.send_conversation(user_id, "Hi"))
        await asyncio.to_thread(sandbox.wait_for_request, user_id)
        queued = asyncio.ensure_future(client.send_conversation(user_id + "-queued", "Hi"))
        await asyncio.sleep(0)
        queued.cancel()
        with pytest.raises(asyncio.CancelledError):
            await queued
        first.cancel()
        await asyncio.wait([first])
        await client.send_conversation(user_id + "-later", "Hi")  # the thread is free, and has skipped the dropped one

    run(test, max_connections=1)
    assert sandbox.requests(user_id + "-queued") == []
    assert len(sandbox.requests(user_id + "-later")) == 1


def test_wait_for_ends_a_call(sandbox: Sandbox, run: Callable[..., Any], user_id: str) -> None:
    async def test(client: AsyncClient) -> None:
        sandbox.order("hang", user_id)
        begun = time.monotonic()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.send_conversation(user_id, "Hi"), 0.1)
        assert time.monotonic() - begun < 1

    run(test)


def test_closing_ends_the_calls_in_flight_and_the_later_ones(
    sandbox: Sandbox, run: Callable[..., Any], user_id: str
) -> None:
    async def test(client: AsyncClient) -> None:
        sandbox.order("hang", user_id, times=20)
        sending = [asyncio.ensure_future(client.send_conversation(user_id, "Hi")) for _ in range(20)]
        await asyncio.to_thread(sandbox.wait_for_request, user_id)
        await client.aclose()
        await client.aclose()  # any number of times
        assert client_threads() == 0
        for error in await asyncio.gather(*sending, return_exceptions=True):
            assert isinstance(error, userengage.ClosedError)
        with pytest.raises(userengage.ClosedError):
            await client.send_conversation(user_id, "Hi")

    run(test)


def test_a_client_serves_one_loop_after_another(sandbox: Sandbox, user_id: str) -> None:
    client = AsyncClient(sandbox.api_key, base_url=sandbox.base_url)
    for _ in range(2):
        assert asyncio.run(client.send_conversation(user_id, "Hi")).delivery is Delivery.DELIVERED
    asyncio.run(client.aclose())
    assert client_threads() == 0


def test_a_client_without_references_ends_its_threads(sandbox: Sandbox, user_id: str) -> None:
    client = AsyncClient(sandbox.api_key, base_url=sandbox.base_url)
    asyncio.run(client.send_conversation(user_id, "Hi"))
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "userengage")
    del client
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()


def test_context_variables_reach_the_log(
    run: Callable[..., Any], user_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    order: contextvars.ContextVar[str] = contextvars.ContextVar("order")
    seen = []

    def note(_record: logging.LogRecord) -> bool:
        seen.append(order.get())
        return True

    async def test(client: AsyncClient) -> None:
        order.set("order 7")
        await client.send_conversation(user_id, "Hi")

    caplog.set_level(logging.INFO, "userengage")
    logging.getLogger("userengage").addFilter(note)
    try:
        run(test)
    finally:
        logging.getLogger("userengage").removeFilter(note)
    assert seen == ["order 7"]


@pytest.mark.parametrize("end", ["pass", "os._exit(0)"])
def test_the_interpreter_ends_with_calls_in_flight(sandbox: Sandbox, user_id: str, end: str) -> None:
    sandbox.order("hang", user_id, times=20)
    program = f"""
import asyncio, os, threading, time, userengage
client = userengage.AsyncClient(base_url=os.environ["UE_BASE_URL"])
begun = threading.Event()
async def main():
    sending = [asyncio.ensure_future(client.send_conversation({user_id!r}, "Hi")) for _ in range(20)]
    await asyncio.sleep(0.05)
    begun.set()
    await asyncio.gather(*sending, return_exceptions=True)
threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
begun.wait()
{end}
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=sandbox.environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=10,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_child_of_a_fork_gets_threads_of_its_own(sandbox: Sandbox, user_id: str) -> None:
    client = AsyncClient(sandbox.api_key, base_url=sandbox.base_url)
    asyncio.run(client.send_conversation(user_id, "parent"))
    child = os.fork()
    if not child:
        status = 1
        try:
            asyncio.run(client.send_conversation(user_id, "child"))
            asyncio.run(client.aclose())
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    asyncio.run(client.aclose())
    assert len(sandbox.requests(user_id)) == 2
