"""`Queue`, where a signal or a collection strikes at the worst moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sandbox import Sandbox

from userengage import Client, Delivery, Result, Status, _convert, _native
from userengage._queue import FROM_TURN, Queue


class Alarm(BaseException):
    """The exception of a signal handler."""


@pytest.fixture
def queue(client: Client) -> Queue:
    return Queue(client._handle, FROM_TURN)


def interrupt(monkeypatch: pytest.MonkeyPatch, name: str, *, before: bool) -> None:
    """Has a function of the library be interrupted once, before it begins or after it returned."""
    function = getattr(_native.lib, name)

    def interrupted(*arguments: object) -> None:
        monkeypatch.setattr(_native.lib, name, function)
        if not before:
            function(*arguments)
        raise Alarm

    monkeypatch.setattr(_native.lib, name, interrupted)


@pytest.mark.parametrize("name", ["ue_queue_push", "ue_queue_take", "ue_result_read", "ue_result_free"])
@pytest.mark.parametrize("before", [True, False])
def test_a_signal_loses_no_outcome(
    queue: Queue, user_id: str, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, name: str, before: bool
) -> None:
    results: list[Result] = []
    message = _convert.message(user_id, "Hi")
    interrupt(monkeypatch, name, before=before)
    with pytest.raises(Alarm):  # noqa: PT012
        queue.push(message, results.append)
        while queue.waiting:
            queue.wait()
            queue.take()
    queue.finish()
    is_sent = bool(sandbox.requests(user_id))
    assert {result.delivery for result in results} == {Delivery.DELIVERED if is_sent else Delivery.NOT_DELIVERED}
    assert is_sent is not (name == "ue_queue_push" and before)
    assert queue.waiting == {}


def test_a_queue_that_is_freed_waits_for_nothing(sandbox: Sandbox, queue: Queue, user_id: str) -> None:
    sandbox.order("hang", user_id)
    results: list[Result] = []
    queue.push(_convert.message(user_id, "Hi"), results.append)
    queue.free()
    queue.free()
    queue.cancel_all()
    queue.finish()
    refused = queue.push(_convert.message(user_id, "Hi"), results.append)
    assert isinstance(refused, Result)
    assert refused.status is Status.INVALID_ARGUMENT
    assert results == []


def test_a_loop_that_is_dropped_without_being_closed_holds_nothing_up(sandbox: Sandbox, user_id: str) -> None:
    sandbox.order("hang", user_id)
    program = f"""
import asyncio, gc, logging, os, sys, userengage
sys.path.append({str(Path(__file__).parent)!r})
from threads import assert_no_library_threads
logging.disable()
def drop():
    client = userengage.AsyncClient(base_url=os.environ["UE_BASE_URL"])
    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(client.send_conversation({user_id!r}, "Hi")) for _ in range(3)]
    loop.run_until_complete(asyncio.sleep(0))
drop()
gc.collect()
assert_no_library_threads()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=sandbox.environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=10,
    )
    assert (done.returncode, done.stderr) == (0, "")
