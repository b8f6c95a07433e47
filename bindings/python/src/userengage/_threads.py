"""`Threads`: runs calls of the library on threads, for an event loop.

A `ThreadPoolExecutor` will not do: the interpreter's exit waits for its calls, and after a fork its threads are gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
from queue import SimpleQueue
from typing import Any, Callable


class Job:
    """One function to run on a thread, and the future of its result."""

    __slots__ = ("_claim", "_context", "_function", "_loop", "future")

    future: asyncio.Future[Any]

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._context = contextvars.copy_context()
        self._claim = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self.future = self._loop.create_future()

    def drop(self) -> bool:
        """Cancels the job if no thread has begun it."""
        return self._claim.acquire(blocking=False) and self.future.cancel()

    def run(self) -> None:
        """Runs the job and sets its future, unless it was dropped."""
        if not self._claim.acquire(blocking=False):
            return
        result = error = None
        try:
            result = self._context.run(self._function)
        except BaseException as caught:  # noqa: BLE001 (raised where the future is awaited)
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._finish, result, error)

    def _finish(self, result: Any, error: BaseException | None) -> None:
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)
            self.future.exception()  # marks it as retrieved, even if nobody waits any more


class Threads:
    """At most `most` threads, started when needed. For one event loop at a time."""

    __slots__ = ("_jobs", "_most", "_process", "_threads", "stopped", "unfinished")

    def __init__(self, most: int) -> None:
        self._most = most
        self.stopped = False
        self._reset()

    def _reset(self) -> None:
        self._process = os.getpid()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self.unfinished: set[asyncio.Future[Any]] = set()

    def start(self, function: Callable[[], Any]) -> Job:
        """Runs `function` on a thread, at once or when one is free."""
        if self._process != os.getpid():  # after a fork: the threads are the parent's
            self._reset()
        job = Job(function)
        self.unfinished.add(job.future)
        job.future.add_done_callback(self.unfinished.discard)
        if len(self._threads) < min(len(self.unfinished), self._most):
            thread = threading.Thread(target=_work, args=(self._jobs,), name="userengage", daemon=True)
            thread.start()
            self._threads.append(thread)
        self._jobs.put(job)
        return job

    def stop(self) -> None:
        """Ends the threads after their pending jobs. Does not wait for them."""
        self.stopped = True
        for _ in self._threads:
            self._jobs.put(None)

    def join(self) -> None:
        """Waits until the threads have ended."""
        for thread in self._threads:
            thread.join()
        self._threads.clear()


def _work(jobs: SimpleQueue[Job | None]) -> None:
    while True:
        job = jobs.get()
        if job is None:
            return
        job.run()
        del job  # do not keep it alive while waiting for the next one
