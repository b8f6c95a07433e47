"""The programs in examples/, run as a reader would."""

from __future__ import annotations

import io
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox import Sandbox

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(sandbox: Sandbox, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        env=sandbox.environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )


def test_send_says_that_it_was_delivered(sandbox: Sandbox, user_id: str) -> None:
    done = run(sandbox, "send.py", user_id)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("DELIVERED: HTTP 201 after ")
    assert '"user":926,"source":2,' in sandbox.only_request(user_id)["body"]


def test_send_says_what_is_wrong(sandbox: Sandbox) -> None:
    done = run(sandbox, "send.py", "missing-user")
    assert done.returncode == 1
    assert done.stderr.startswith("NOT_DELIVERED, retry NEVER: The service answered 404 Not Found")


def test_worker_reports_what_was_not_delivered(sandbox: Sandbox, user_id: str, tmp_path: Path) -> None:
    messages = tmp_path / "messages.csv"
    messages.write_text(f"client_user_id,content\n{user_id},one\nmissing-user,two\n{user_id},three\n")
    done = run(sandbox, "worker.py", str(messages))
    assert (done.returncode, done.stdout) == (1, "2 delivered, 1 not.\n")
    assert done.stderr.startswith("missing-user: correct it: it would fail again: The service answered 404 Not Found")
    assert len(sandbox.requests(user_id)) == 2


def test_asyncio_greets_everybody(sandbox: Sandbox, user_id: str) -> None:
    done = run(sandbox, "with_asyncio.py", user_id, "missing-user", user_id + "-too")
    assert (done.returncode, done.stderr) == (0, "")
    lines = sorted(done.stdout.splitlines())
    assert lines[1:] == [f"{user_id}-too: delivered", f"{user_id}: delivered"]
    assert lines[0].startswith("missing-user: The service answered 404")


@pytest.mark.parametrize(
    ("client_user_id", "status"), [("python-view", "201 Created"), ("missing-user", "404 Not Found")]
)
def test_the_view_answers(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, client_user_id: str, status: str) -> None:
    monkeypatch.setenv("UE_API_KEY", sandbox.api_key)
    monkeypatch.setenv("UE_BASE_URL", sandbox.base_url)
    application = runpy.run_path(str(EXAMPLES / "view.py"))["application"]
    body = f"client_user_id={client_user_id}".encode()
    answered: list[str] = []
    environ = {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    assert application(environ, lambda status, _headers: answered.append(status))
    assert answered == [status]


def test_worker_that_is_interrupted_says_of_every_message_what_to_do(
    sandbox: Sandbox, user_id: str, tmp_path: Path
) -> None:
    sandbox.order("hang", user_id)
    messages = tmp_path / "messages.csv"
    messages.write_text("client_user_id,content\n" + f"{user_id},Hi\n" * 1_000)
    with subprocess.Popen(
        [sys.executable, EXAMPLES / "worker.py", str(messages)],
        env=sandbox.environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as worker:
        sandbox.wait_for_request(user_id)
        worker.send_signal(signal.SIGINT)
        assert worker.stderr is not None
        first, *rest, last = worker.stderr.read().splitlines()
    assert first.startswith(f"{user_id}: look at the conversation before you send it again: The call was cancelled.")
    assert len(rest) == 999
    assert all(line.startswith(f"{user_id}: send it again later: ") for line in rest)
    assert last.startswith("Interrupted. Of the messages ")
    assert worker.returncode == 1
