"""Forks, and the end of the interpreter."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path

import pytest
from sandbox import Sandbox

from userengage import Client

BEGIN = """
import os, sys, threading, userengage, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # the tests fork a process with threads
user_id = sys.argv[1]
client = userengage.Client(base_url=os.environ["UE_BASE_URL"], max_attempts=1)
"""


def run(sandbox: Sandbox, program: str, user_id: str) -> subprocess.CompletedProcess[str]:
    """Runs a program with a `client` and a `user_id`. Checks that it ends in time, without ignored exceptions."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + textwrap.dedent(program), user_id],
        env=sandbox.environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=10,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done


def test_parent_and_child_of_a_fork_send_on_connections_of_their_own(sandbox: Sandbox, user_id: str) -> None:
    program = """
        client.send_conversation(user_id, "before")
        child = os.fork()
        for number in range(20):
            client.send_conversation(user_id, f"{'parent' if child else 'child'} {number}")
        if child:
            assert os.waitpid(child, 0)[1] == 0
    """
    run(sandbox, program, user_id)
    requests = sandbox.requests(user_id)
    assert len({request["body"] for request in requests}) == len(requests) == 41
    of_child = {request["connection"] for request in requests if "child" in request["body"]}
    of_parent = {request["connection"] for request in requests if "child" not in request["body"]}
    assert not of_child & of_parent


def test_a_child_forked_while_threads_send_sends_and_exits(sandbox: Sandbox, user_id: str) -> None:
    program = """
        client = userengage.Client(base_url=os.environ["UE_BASE_URL"], max_per_second=400)
        stop = threading.Event()
        def send():
            while not stop.is_set():
                client.send_conversation(user_id, "parent")
        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            child = os.fork()
            if not child:
                client.send_conversation(user_id, "child")
                sys.exit()
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
    """
    run(sandbox, program, user_id)
    assert sum("child" in request["body"] for request in sandbox.requests(user_id)) == 10


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_multiprocessing_sends(sandbox: Sandbox, user_id: str, method: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing, os, sys, userengage\n"
        "client = userengage.Client(base_url=os.environ['UE_BASE_URL'])\n"
        "def send(number):\n"
        "    return client.send_conversation(sys.argv[1], str(number))\n"
        "if __name__ == '__main__':\n"
        "    client.send_conversation(sys.argv[1], 'parent')\n"
        f"    with multiprocessing.get_context('{method}').Pool(3) as pool:\n"
        "        print(*(result.delivery.name for result in pool.map(send, range(20))))\n"
    )
    done = subprocess.run(
        [sys.executable, program, user_id],
        env=sandbox.environment(),
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.stdout.split() == ["DELIVERED"] * 20, done.stderr
    assert len(sandbox.requests(user_id)) == 21


def test_gunicorn_workers_share_a_client_that_was_preloaded(sandbox: Sandbox, user_id: str, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "import os, userengage\n"
        "client = userengage.Client(base_url=os.environ['UE_BASE_URL'])\n"
        f"client.send_conversation('{user_id}', 'preloaded')\n"
        "def application(environ, start_response):\n"
        f"    client.send_conversation('{user_id}', str(os.getpid()))\n"
        "    start_response('200 OK', [('Content-Length', '2')])\n"
        "    return [b'ok']\n"
    )
    arguments = ["--preload", "--workers", "2", "--bind", "127.0.0.1:0", "--chdir", str(tmp_path), "shop:application"]
    with subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *arguments],
        env=sandbox.environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as gunicorn:
        assert gunicorn.stderr is not None
        address = None
        while address is None:
            line = gunicorn.stderr.readline()
            assert line, "gunicorn ended"
            address = re.search(r"http://127\.0\.0\.1:\d+", line)
        for _ in range(12):
            with urllib.request.urlopen(address[0], timeout=10) as answer:
                assert answer.read() == b"ok"
        gunicorn.send_signal(signal.SIGTERM)
        gunicorn.stderr.read()
    assert gunicorn.returncode == 0
    assert len(sandbox.requests(user_id)) == 13


@pytest.mark.parametrize("end", ["pass", "sys.exit()", "os._exit(0)"])
def test_the_interpreter_ends_with_a_client_alive(sandbox: Sandbox, user_id: str, end: str) -> None:
    run(sandbox, "client.send_conversation(user_id, 'Hi')\n" + end, user_id)


@pytest.mark.parametrize("end", ["pass", "os._exit(0)"])
def test_the_interpreter_ends_while_daemon_threads_send(sandbox: Sandbox, user_id: str, end: str) -> None:
    sandbox.order("hang", user_id, times=20)
    program = """
        import logging
        logging.basicConfig(level=logging.DEBUG, filename=os.devnull)
        client = userengage.Client(base_url=os.environ["UE_BASE_URL"], max_attempts=1)
        def send(client_user_id):
            while True:
                try:
                    client.send_conversation(client_user_id, "Hi")
                except userengage.Error:
                    pass
        for number in range(20):
            threading.Thread(target=send, args=(user_id,), daemon=True).start()
        for number in range(3):
            threading.Thread(target=send, args=(user_id + "-busy",), daemon=True).start()
        client.send_conversation(user_id + "-other", "Hi")
    """
    run(sandbox, textwrap.dedent(program) + end, user_id)


def test_a_function_registered_with_atexit_may_send(sandbox: Sandbox, user_id: str) -> None:
    run(sandbox, "import atexit; atexit.register(client.send_conversation, user_id, 'bye')", user_id)
    assert sandbox.only_request(user_id)["body"] == '{"content":"bye"}'


def test_a_send_after_the_end_has_begun_is_refused_and_not_a_crash(sandbox: Sandbox, user_id: str) -> None:
    program = """
        class Late:
            def __del__(self):
                try:
                    client.send_conversation(user_id, "late")
                except userengage.ClosedError as error:
                    print(error)
        userengage.late = Late()
    """
    assert run(sandbox, program, user_id).stdout == "The interpreter is shutting down. The message was not delivered.\n"
    assert sandbox.requests(user_id) == []


def test_the_child_of_a_fork_frees_what_it_inherited(client: Client, user_id: str) -> None:
    client.send_conversation(user_id, "Hi")
    child = os.fork()
    if not child:
        client.close()
        del client
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
