"""Many threads, and closing."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from sandbox import Sandbox

import userengage
from userengage import Client, Delivery


def test_other_threads_run_while_a_call_waits(sandbox: Sandbox, client: Client, user_id: str) -> None:
    sandbox.order("hang", user_id)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(client.send_conversation, user_id, "Hi")
        sandbox.wait_for_request(user_id)  # this can run, so the waiting thread does not hold the GIL
        assert not sending.done()
        client.close()
        assert isinstance(sending.exception(), userengage.ClosedError)


def test_many_threads_share_a_client(sandbox: Sandbox, client: Client, user_id: str) -> None:
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda number: client.send_conversation(user_id, str(number)), range(400)))
    assert {result.delivery for result in results} == {Delivery.DELIVERED}
    assert len({request["body"] for request in sandbox.requests(user_id)}) == 400


def test_a_closed_client_sends_nothing(sandbox: Sandbox, user_id: str) -> None:
    with sandbox.client() as client:
        pass
    client.close()  # any number of times
    with pytest.raises(userengage.ClosedError) as caught:
        client.send_conversation(user_id, "Hi")
    assert caught.value.delivery is Delivery.NOT_DELIVERED
    assert sandbox.requests(user_id) == []


def test_max_per_second_holds_over_all_threads(sandbox: Sandbox, user_id: str) -> None:
    with sandbox.client(max_per_second=1, timeout=0.8) as client, ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(client.send_conversation, user_id, "Hi") for _ in range(4)]
    errors = [call.exception() for call in sent]
    assert errors.count(None) == 1
    for error in filter(None, errors):
        assert isinstance(error, userengage.RateLimitedError)
        assert error.retry_after is not None
        assert 0 < error.retry_after <= 4


def test_a_client_without_references_is_freed_with_its_connections(sandbox: Sandbox, user_id: str) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    gc.collect()
    sandbox.requests(user_id)
    before = descriptors()
    client = sandbox.client()
    client.send_conversation(user_id, "Hi")
    assert descriptors() > before
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None
    assert descriptors() == before


def test_results_do_not_pile_up(client: Client, user_id: str) -> None:
    def resident() -> int:
        with open("/proc/self/statm") as statm:  # noqa: PTH123
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def send(times: int) -> None:
        for _ in range(times):
            with pytest.raises(userengage.InvalidArgumentError):
                client.send_conversation(user_id, "")

    send(2_000)
    before = resident()
    send(20_000)
    assert resident() - before < 2_000_000


@pytest.mark.parametrize("take_along", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_client_can_be_neither_pickled_nor_copied(client: Client, take_along: object) -> None:
    assert callable(take_along)
    with pytest.raises(TypeError, match="Client can be neither pickled nor copied: make one in each process"):
        take_along(client)


def test_a_thread_that_ends_leaves_nothing_behind(client: Client, user_id: str) -> None:
    before = threading.active_count()
    sender = threading.Thread(target=client.send_conversation, args=(user_id, "Hi"))
    sender.start()
    sender.join()
    assert threading.active_count() == before
