"""`Queue`: a queue of the library. It copies what is pushed; its thread sends that, and calls nothing in Python."""

from __future__ import annotations

import ctypes as c
import itertools
import os
import select
import weakref
from typing import Callable, Final

from . import _call, _errors, _native, _result
from ._native import lib
from ._result import Result, Status

FROM_TURN: Final = 0
"""A message's timeout starts when the message is begun."""
FROM_PUSH: Final = 1
"""A message's timeout starts when it is pushed."""

AT_ONCE: Final = 64
"""How many results are taken before other work has its turn."""

_OPTIONS_SIZE: Final = c.sizeof(_native.QueueOptions)
_NO_LIMIT: Final = (1 << 32) - 1
_LONGEST_WAIT: Final = 1.0


class Queue:
    """Sends messages and gives each result to a function. For one thread at a time."""

    __slots__ = ("__weakref__", "_free", "_handle", "_numbers", "_process", "_taken", "_was_interrupted", "waiting")

    waiting: dict[int, Callable[[Result], object]]
    """For each message without a result, by its number: the function that gets it."""

    def __init__(self, client: int, timeout_from: int, max_failures_in_a_row: int = 0) -> None:
        options = _native.QueueOptions(_OPTIONS_SIZE, _NO_LIMIT, max_failures_in_a_row, timeout_from)
        result = c.c_void_p()
        # The handle becomes NULL when it is freed: a finalizer can be faster than the last one who uses it.
        self._handle = c.c_void_p(lib.ue_queue_new(client, c.byref(options), c.byref(result)))
        try:
            if not self._handle:
                raise _errors.of(_result.take(result))
        finally:
            lib.ue_result_free(result)
        self._free = weakref.finalize(self, _free, self._handle)
        self._free.atexit = False
        self._numbers = itertools.count(1)
        self._taken = (c.c_void_p * AT_ONCE)()
        self._was_interrupted = False
        self._process = os.getpid()
        self.waiting = {}

    def push(self, message: _native.Message, on_result: Callable[[Result], object]) -> int | Result:
        """Sends a message without waiting. Returns its number, or the result of one that was refused."""
        message.user_data = number = next(self._numbers)
        result = c.c_void_p()
        self.waiting[number] = on_result
        try:
            if lib.ue_queue_push(self._handle, message, result):
                del self.waiting[number]
                return _result.take(result)
        finally:
            lib.ue_result_free(result)
        return number

    def take(self) -> int:
        """Gives results that have come to those who wait for them, and the log lines to `logging`. Returns how many.

        A handle stays in `_taken` until its result was given. If an exception, such as that of a signal handler, ends
        this in the midst, the next time begins with what is left.
        """
        taken, count = self._taken, AT_ONCE
        if not self._was_interrupted:
            self._was_interrupted = True
            count = lib.ue_queue_take(self._handle, taken, AT_ONCE)
        for place in range(count):
            handle = taken[place]
            if handle:
                result, number = _result.take_with_user_data(handle)
                on_result = self.waiting.get(number)
                if on_result is not None:
                    on_result(result)
                    del self.waiting[number]
                taken[place] = None
                lib.ue_result_free(handle)
        self._was_interrupted = False
        _call.log_lines()
        return count

    def wait(self) -> None:
        """Waits until there is something to take, or for a second: other code may have closed the descriptor."""
        if not self._was_interrupted:
            wait_readable(self.descriptor(), _LONGEST_WAIT)

    def descriptor(self) -> int:
        """What is readable while there is something to take."""
        descriptor: int = lib.ue_queue_fd(self._handle)
        return descriptor

    def cancel(self, number: int) -> None:
        """Ends a message. Its result says what is known of it, and comes within milliseconds."""
        lib.ue_queue_cancel(self._handle, number)

    @property
    def is_of_this_process(self) -> bool:
        """False in the child of a fork: what was pushed before belongs to the parent."""
        return os.getpid() == self._process

    def stop(self) -> None:
        """Begins no more. The results of the messages that wait say so."""
        lib.ue_queue_stop(self._handle)

    def cancel_all(self) -> None:
        """Ends every message."""
        self.stop()
        for number in list(self.waiting):
            self.cancel(number)

    def finish(self, number: int | None = None) -> None:
        """Waits for the result of a message that was cancelled, or for those of all: milliseconds.

        Nothing ends this early. Else it would not be known what became of them.
        """
        while self.waiting if number is None else number in self.waiting:
            if not self._handle or not self.is_of_this_process:
                return  # freed with the loop in one sweep of the collector; or the results belong to the parent
            try:
                is_idle = lib.ue_queue_wait(self._handle, 0) == Status.OK
                if not is_idle:
                    self.wait()
                if not self.take() and is_idle:
                    self._give_up()
            except BaseException:  # noqa: BLE001 (of a signal handler or a log handler; another one is on its way)
                pass

    def _give_up(self) -> None:
        """Ends messages that never came into the queue: a signal handler has raised as they were pushed."""
        for on_result in list(self.waiting.values()):
            on_result(_result.NOT_BEGUN)
        self.waiting.clear()

    def free(self) -> None:
        """Ends every message, and waits for the thread: milliseconds. Results that have not come are lost."""
        self._free()


def wait_readable(descriptor: int, seconds: float) -> None:
    """Waits, while other threads run, for a descriptor to be readable."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(seconds * 1000)
    else:
        select.select([descriptor], [], [], seconds)


def _free(handle: c.c_void_p) -> None:
    freed, handle.value = handle.value, None
    lib.ue_queue_free(freed)
