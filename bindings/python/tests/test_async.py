"""`AsyncClient` under asyncio. `test_loops.py` has what holds under every kind of event loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Awaitable, Iterator
from typing import Any, Callable

import pytest
import uvloop
from sandbox import Sandbox
from threads import assert_no_library_threads, library_threads

import userengage
from userengage import AsyncClient, Delivery, Status
from userengage._queue import wait_readable

NewLoop = Callable[[], asyncio.AbstractEventLoop]


class WithoutReaders(asyncio.SelectorEventLoop):
    """A loop that cannot wait for a descriptor, like that of Windows."""

    def add_reader(self, *_arguments: Any) -> None:  # type: ignore[override]  # pyright: ignore
        raise NotImplementedError


LOOPS: list[NewLoop] = [asyncio.SelectorEventLoop, uvloop.new_event_loop, WithoutReaders]


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop", "without readers"])
def new_loop(request: pytest.FixtureRequest) -> NewLoop:
    made: NewLoop = request.param
    return made


@pytest.fixture
def client(sandbox: Sandbox) -> AsyncClient:
    """A client that tries once and gives up after 10 seconds."""
    return AsyncClient(sandbox.api_key, base_url=sandbox.base_url, max_attempts=1, timeout=10)


@pytest.fixture
def run(client: AsyncClient, new_loop: NewLoop) -> Iterator[Callable[[Awaitable[Any]], Any]]:
    """Runs coroutines, one after another, in a loop that then is closed. At its end no thread is left."""
    loop = new_loop()
    yield loop.run_until_complete
    loop.run_until_complete(client.aclose())
    loop.close()
    assert_no_library_threads()


def last_context(error: BaseException) -> BaseException:
    while error.__context__ is not None:
        error = error.__context__
    return error


async def cancelled(sending: asyncio.Task[Any]) -> BaseException:
    """Cancels a task, and returns what it knows then."""
    sending.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await sending
    return last_context(caught.value)


Run = Callable[[Awaitable[Any]], Any]


def test_a_call_that_is_cancelled_twice_says_what_is_known(
    sandbox: Sandbox, client: AsyncClient, run: Run, user_id: str
) -> None:
    async def test() -> None:
        sandbox.order("hang", user_id)
        sending = asyncio.ensure_future(client.send_conversation(user_id, "Hi"))
        await asyncio.to_thread(sandbox.wait_for_request, user_id)
        sending.cancel()
        await asyncio.sleep(0)  # the first one has reached the call, which ends the message
        assert not sending.done()
        known = await cancelled(sending)
        assert isinstance(known, userengage.CancelledError)
        assert known.delivery is Delivery.UNKNOWN

    run(test())


def test_a_call_that_is_cancelled_as_its_result_comes_says_that_it_was_delivered(
    client: AsyncClient, run: Run, user_id: str
) -> None:
    async def test() -> None:
        sending = asyncio.ensure_future(client.send_conversation(user_id, "Hi"))
        await asyncio.sleep(0)
        queue = client._queue().queue
        while queue.waiting:  # the loop does not run meanwhile
            wait_readable(queue.descriptor(), 1)
            queue.take()
        known = await cancelled(sending)
        assert isinstance(known, userengage.CancelledError)
        assert (known.status, known.delivery) == (Status.OK, Delivery.DELIVERED)

    run(test())


def test_wait_for_ends_a_call_and_its_error_leads_to_what_is_known(
    sandbox: Sandbox, client: AsyncClient, run: Run, user_id: str
) -> None:
    async def test() -> None:
        sandbox.order("hang", user_id)
        with pytest.raises(asyncio.TimeoutError) as caught:
            await asyncio.wait_for(client.send_conversation(user_id, "Hi"), 0.1)
        assert isinstance(last_context(caught.value), userengage.CancelledError)

    run(test())


def test_a_coroutine_that_is_closed_ends_its_message(
    sandbox: Sandbox, client: AsyncClient, run: Run, user_id: str
) -> None:
    async def test() -> None:
        sandbox.order("hang", user_id, times=2)
        other = asyncio.ensure_future(client.send_conversation(user_id + "-other", "Hi"))
        for sending in (
            client.send_conversation(user_id, "Hi"),
            client.send_conversations([{"client_user_id": user_id, "content": "Hi"}]),
        ):
            sending.send(None)  # runs until it waits
            sandbox.wait_for_request(user_id)
            sending.close()
            assert not client._queue().queue.waiting.keys() - {2}
        assert (await other).delivery is Delivery.DELIVERED

    run(test())


@pytest.mark.parametrize("is_async", [False, True])
def test_a_batch_that_is_closed_tells_what_became_of_its_messages(
    sandbox: Sandbox, client: AsyncClient, run: Run, user_id: str, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Delivery] = []

    async def later(_index: int, result: userengage.Result) -> None:
        told.append(result.delivery)

    def note(_index: int, result: userengage.Result) -> None:
        told.append(result.delivery)

    async def test() -> None:
        sandbox.order("hang", user_id)
        messages = [{"client_user_id": user_id, "content": "Hi"}]
        sending = client.send_conversations(messages, on_result=later if is_async else note)
        sending.send(None)  # runs until it waits
        sandbox.wait_for_request(user_id)
        sending.close()

    run(test())
    assert told == ([] if is_async else [Delivery.UNKNOWN])
    assert ("on_result raised RuntimeError" in caplog.text) is is_async


def test_a_loop_that_is_closed_early_ends_its_calls_and_the_log_tells_of_them(
    sandbox: Sandbox, new_loop: NewLoop, user_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.order("hang", user_id, times=2)
    client = AsyncClient(sandbox.api_key, base_url=sandbox.base_url, max_attempts=1, max_connections=1)
    loop = new_loop()
    sending = [loop.create_task(client.send_conversation(user_id + end, "Hi")) for end in ("", "-waits")]
    loop.run_until_complete(asyncio.sleep(0))
    sandbox.wait_for_request(user_id)
    loop.close()
    texts = [record.getMessage() for record in caplog.records if record.name == "userengage"]
    assert len(texts) == 2
    assert "Whether the message was delivered is unknown." in texts[0]
    assert texts[1] == (
        "The event loop was closed while 2 messages waited for their outcome. They were cancelled: 0 were delivered, "
        "and 1 may have been."
    )
    assert sandbox.requests(user_id + "-waits") == []
    # The tasks are never resumed. Asyncio complains of each when it is dropped.
    gone, queue = weakref.ref(loop), weakref.ref(client._queues[loop])
    logging.getLogger("asyncio").disabled = True
    try:
        del sending, loop
        gc.collect()
    finally:
        logging.getLogger("asyncio").disabled = False
    assert (gone(), queue()) == (None, None)
    assert_no_library_threads()


def test_a_batch_whose_loop_is_closed_early_ends(sandbox: Sandbox, new_loop: NewLoop, user_id: str) -> None:
    sandbox.order("hang", user_id)
    client = AsyncClient(sandbox.api_key, base_url=sandbox.base_url, max_attempts=1)
    loop = new_loop()
    messages = [{"client_user_id": user_id, "content": "Hi"}] * 3
    sending = loop.create_task(client.send_conversations(messages))
    loop.run_until_complete(asyncio.sleep(0))
    sandbox.wait_for_request(user_id)
    loop.close()
    logging.getLogger("asyncio").disabled = True
    try:
        del sending, loop
        gc.collect()
    finally:
        logging.getLogger("asyncio").disabled = False
    assert_no_library_threads()
    assert len(sandbox.requests(user_id)) == 1


def test_a_client_serves_one_loop_after_another(sandbox: Sandbox, new_loop: NewLoop, user_id: str) -> None:
    client = AsyncClient(sandbox.api_key, base_url=sandbox.base_url)
    for _ in range(3):
        loop = new_loop()
        assert loop.run_until_complete(client.send_conversation(user_id, "Hi")).delivery is Delivery.DELIVERED
        loop.close()
        gone = weakref.ref(loop)
        del loop
        gc.collect()
        assert gone() is None
        assert_no_library_threads()


def test_loops_in_several_threads_share_a_client(sandbox: Sandbox, client: AsyncClient, user_id: str) -> None:
    async def send(number: int) -> None:
        await asyncio.gather(*(client.send_conversation(f"{user_id}-{number}", "Hi") for _ in range(50)))

    threads = [threading.Thread(target=lambda number=number: asyncio.run(send(number))) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(sandbox.requests(f"{user_id}-{number}")) for number in range(4)] == [50] * 4


def test_a_client_without_references_ends_its_threads(sandbox: Sandbox, new_loop: NewLoop, user_id: str) -> None:
    client = AsyncClient(sandbox.api_key, base_url=sandbox.base_url)
    loop = new_loop()
    loop.run_until_complete(client.send_conversation(user_id, "Hi"))
    assert library_threads() > 0
    del client
    loop.run_until_complete(asyncio.sleep(0))
    gc.collect()
    assert_no_library_threads()
    loop.close()


def test_a_handler_of_the_log_that_raises_ends_no_call(
    client: AsyncClient, run: Run, user_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("userengage")

    def broken(_record: logging.LogRecord) -> bool:
        raise LookupError

    async def test() -> None:
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context["exception"]))
        with pytest.raises(userengage.NotFoundError):
            await client.send_conversation("missing-" + user_id, "Hi")
        assert [type(error) for error in told] == [LookupError]

    logger.addFilter(broken)
    try:
        run(test())
    finally:
        logger.removeFilter(broken)
    assert caplog.records == []


def test_the_context_of_one_task_does_not_become_that_of_all(client: AsyncClient, run: Run, user_id: str) -> None:
    import contextvars

    order: contextvars.ContextVar[str] = contextvars.ContextVar("order", default="none")
    seen = []

    def note(_record: logging.LogRecord) -> bool:
        seen.append(order.get())
        return True

    async def test() -> None:
        order.set("order 7")
        with pytest.raises(userengage.NotFoundError):
            await client.send_conversation("missing-" + user_id, "Hi")

    logging.getLogger("userengage").addFilter(note)
    try:
        run(test())
    finally:
        logging.getLogger("userengage").removeFilter(note)
    assert seen == ["none"]


@pytest.mark.parametrize("new_loop", LOOPS[:2], indirect=True, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("kind", ["delivered", "refused"])
def test_ten_thousand_calls_leave_no_object_behind(client: AsyncClient, run: Run, user_id: str, kind: str) -> None:
    receiver = user_id if kind == "delivered" else "missing-user"

    async def send(times: int) -> None:
        for _ in range(times):
            with contextlib.suppress(userengage.NotFoundError):
                await client.send_conversation(receiver, "Hi")

    logging.getLogger("userengage").disabled = True
    try:
        run(send(100))
        gc.collect()
        gc.disable()  # nor a cycle, which would wait for the collector
        before = len(gc.get_objects())
        run(send(10_000 if kind == "delivered" else 1_000))
        assert len(gc.get_objects()) - before < 100
    finally:
        gc.enable()
        logging.getLogger("userengage").disabled = False


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


@pytest.mark.parametrize("is_in_flight", [False, True])
def test_the_child_of_a_fork_has_a_queue_of_its_own(sandbox: Sandbox, user_id: str, is_in_flight: bool) -> None:
    sandbox.order("delay", user_id, ms=200)
    client = AsyncClient(sandbox.api_key, base_url=sandbox.base_url)
    loop = asyncio.new_event_loop()
    sending = loop.create_task(client.send_conversation(user_id, "parent"))
    loop.run_until_complete(asyncio.sleep(0) if is_in_flight else sending)
    sandbox.wait_for_request(user_id)
    child = os.fork()
    if not child:
        status = 1
        try:
            asyncio.run(client.send_conversation(user_id + "-child", "child"))
            asyncio.run(client.aclose())
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert loop.run_until_complete(sending).delivery is Delivery.DELIVERED
    loop.run_until_complete(client.aclose())
    loop.close()
    assert len(sandbox.requests(user_id)) == len(sandbox.requests(user_id + "-child")) == 1


def test_asyncio_is_loaded_by_those_who_use_it_alone() -> None:
    program = "import sys, userengage; sys.exit('asyncio' in sys.modules or 'trio' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
