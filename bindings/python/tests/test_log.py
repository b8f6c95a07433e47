"""Log lines."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

import pytest
from sandbox import Sandbox

import userengage
from userengage import Client


def test_lines_go_to_the_logger_with_their_levels(
    sandbox: Sandbox, user_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "userengage")
    sandbox.order("status", user_id, status=429, headers={"Retry-After": "0"}, times=1)
    sandbox.order("status", user_id + "-refused", status=400)
    with sandbox.client(max_attempts=2) as client:
        client.send_conversation(user_id, "Hi")
        with pytest.raises(userengage.RejectedError) as caught:
            client.send_conversation(user_id + "-refused", "Hi")
    assert {record.name for record in caplog.records} == {"userengage"}
    levels = [record.levelname for record in caplog.records]
    assert [level for level in levels if level != "DEBUG"] == ["WARNING", "INFO", "ERROR"]
    assert "DEBUG" in levels
    assert caplog.records[-1].getMessage() == str(caught.value)


def test_levels_that_are_off_are_not_logged(sandbox: Sandbox, user_id: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "userengage")
    with sandbox.client() as client:
        client.send_conversation(user_id, "Hi")
    assert caplog.records == []


def test_lines_come_while_the_call_still_waits(sandbox: Sandbox, user_id: str) -> None:
    came = threading.Event()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if user_id in record.getMessage():
                assert record.threadName == "sender"
                came.set()

    logger, handler = logging.getLogger("userengage"), Handler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        client = sandbox.client()
    finally:
        logger.setLevel(level)
    logger.setLevel(logging.DEBUG)
    sandbox.order("hang", user_id)

    def send() -> None:
        with pytest.raises(userengage.ClosedError):
            client.send_conversation(user_id, "Hi")

    sender = threading.Thread(target=send, name="sender")
    sender.start()
    try:
        assert came.wait(5)
        assert sender.is_alive()
    finally:
        client.close()
        sender.join()
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_neither_the_key_nor_the_content_is_logged(
    sandbox: Sandbox, user_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1, "userengage")
    with sandbox.client(api_key="k3y-that-is-secret") as client, pytest.raises(userengage.UnauthorizedError):
        client.send_conversation(user_id, "c0ntent-that-is-secret", source_context={"a": "secret"})
    assert caplog.records
    assert "secret" not in caplog.text


def test_an_exception_from_a_log_handler_is_raised_and_tells_what_is_known(sandbox: Sandbox, user_id: str) -> None:
    class Broken(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise LookupError(record.levelname)

    logger, broken = logging.getLogger("userengage"), Broken()
    logger.addFilter(broken)
    try:
        with sandbox.client() as client, pytest.raises(LookupError, match="ERROR") as caught:
            client.send_conversation("missing-" + user_id, "Hi")
        assert isinstance(caught.value.__context__, userengage.NotFoundError)
    finally:
        logger.removeFilter(broken)


def test_nothing_is_printed_where_logging_was_not_set_up(sandbox: Sandbox) -> None:
    program = (
        "import os, userengage\n"
        "with userengage.Client(base_url=os.environ['UE_BASE_URL']) as client:\n"
        "    try: client.send_conversation('missing-1', 'Hi')\n"
        "    except userengage.NotFoundError: print('caught')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=sandbox.environment(), check=True, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("caught\n", "")


def test_a_client_may_be_used_inside_a_log_handler(sandbox: Sandbox, client: Client, user_id: str) -> None:
    class Teller(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            client.send_conversation(user_id, record.levelname)

    logger, teller = logging.getLogger("userengage"), Teller()
    logger.addHandler(teller)
    try:
        with pytest.raises(userengage.NotFoundError):
            client.send_conversation("missing-" + user_id, "Hi")
    finally:
        logger.removeHandler(teller)
    assert sandbox.only_request(user_id)["body"] == '{"content":"ERROR"}'
