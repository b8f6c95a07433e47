"""`Call`: one call into the library, and the callbacks that it makes into Python.

The library calls back on the thread that waits: its interrupt callback asks at once after a signal, and else every
100 ms, whether to end the call; its log callback delivers lines. A plain Python function would be unsafe here. The
interpreter runs signal handlers, such as the one that raises KeyboardInterrupt, at the first instruction of a function,
before any `try` in it, and ctypes prints and drops an exception that leaves a callback. So the callbacks are objects
written in C. They lead to

- a generator that waits at a `yield` inside its `try`. Signal handlers run where it resumes, and it keeps their
  exceptions;
- a dict that collects the log lines. They are passed to `logging` when the library asks the next time, or returns.

Both belong to the thread. `threading.local` finds them without running Python code. The lines of a queue come while its
results are taken, and go the same way.
"""

from __future__ import annotations

import logging
import operator
import os
import threading
from collections.abc import Generator
from types import GeneratorType
from typing import Callable, Final, cast

from . import _errors, _native

LOGGER: Final = logging.getLogger("userengage")
LOGGER.addHandler(logging.NullHandler())
_TRACE: Final = 5
_LEVELS: Final = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG, 5: _TRACE}


class Call:
    """One call into the library."""

    __slots__ = ("raised", "thread")

    raised: list[BaseException]
    """The exceptions that ended the call, from signal handlers and log handlers."""

    thread: int
    """The identifier of the thread that runs the call."""

    def __init__(self) -> None:
        self.raised = []

    def raise_interruption(self, known: _errors.Error) -> None:
        """Raises the exception that ended the call, with `known`, the message's outcome, in its chain of contexts."""
        interruption = self.raised[0]
        _errors.attach(interruption, known)
        try:
            raise interruption
        finally:
            self.raised.clear()  # breaks a cycle: the traceback refers to this frame
            del interruption

    def run(self, function: Callable[..., object], *args: object) -> None:
        """Calls `function`, a waiting function of the library. Afterwards `raised` holds what ended it."""
        thread = _here.thread
        outer, thread.call = thread.call, self  # outer: a signal handler may send during a call
        answers = thread.answers
        if answers.gi_running or answers.gi_frame is None:
            _here.renew()
        self.thread = thread.ident
        in_flight.add(self)
        try:
            if _exiting:
                raise _errors.closed("The interpreter is shutting down. The message was not delivered.")
            try:
                function(*args)
            except BaseException as error:  # noqa: BLE001 (a signal handler's)
                # A signal handler can run between the C return and the next bytecode. Keep its exception.
                self.raised += [error]
            if thread.lines:
                thread.asked()
        finally:
            in_flight.discard(self)
            thread.call = outer


class _Thread:
    """The state of one thread that the callbacks use."""

    __slots__ = ("answers", "asked", "call", "ident", "lines")

    answers: GeneratorType[int, None, None]
    asked: Callable[[], int]
    call: Call
    ident: int
    lines: dict[_native.Level, bytes]

    def __init__(self) -> None:
        self.call = Call()
        self.ident = threading.get_ident()
        self.lines = {}

    def log(self) -> None:
        """Passes the lines to `logging`."""
        lines, self.lines = self.lines, {}
        for level, text in lines.items():
            LOGGER.log(_LEVELS[level.value], "%s", text.decode("utf-8", "replace"))


class _Here(threading.local):
    """Finds the `_Thread` of the current thread. The attributes that C uses run no Python code."""

    thread: _Thread

    def __init__(self) -> None:
        self.thread = _Thread()
        self.renew()

    def renew(self) -> None:
        """Starts a new generator. One is reused for many calls: closing a generator can itself run signal handlers."""
        answers = cast("GeneratorType[int, None, None]", _answers(self))
        self.thread.answers, self.thread.asked = answers, answers.__next__
        next(answers)

    # `here.asked()` asks the generator.
    asked = property(operator.attrgetter("thread.asked"))

    # `here[level] = text` adds a line. Each line has its own level object as the key, so no line overwrites another.
    __setitem__ = property(operator.attrgetter("thread.lines.__setitem__"))


def _answers(here: _Here) -> Generator[int, None, None]:
    """Yields, each time it is resumed, whether the call must end: 0 means no."""
    while True:
        try:
            while True:
                yield len(here.thread.call.raised)
                if here.thread.lines:
                    here.thread.log()
        except GeneratorExit:
            return
        except BaseException as error:  # noqa: BLE001 (raised after the call)
            here.thread.call.raised += [error]  # not append(): a method call could run the next signal handler


_here: Final = _Here()
_interrupt: Final = _native.InterruptFn(operator.methodcaller("asked"))
_log: Final = _native.LogFn(operator.setitem)


def connect(options: _native.Options) -> None:
    """Sets the callbacks of a client. The log level is the lowest one that the logger is enabled for."""
    options.interrupt, options.interrupt_user_data = _interrupt, _here
    options.log, options.log_user_data = _log, _here
    options.log_level = max((level for level, ours in _LEVELS.items() if LOGGER.isEnabledFor(ours)), default=0)


def log_lines() -> None:
    """Passes the lines that have come on this thread to `logging`."""
    if _here.thread.lines:
        _here.thread.log()


in_flight: Final[set[Call]] = set()
"""The calls of all threads of this process."""

_exiting = False


def refuse() -> None:
    """Refuses every further call, because the interpreter shuts down. After this, `in_flight` only shrinks."""
    global _exiting  # noqa: PLW0603
    _exiting = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=in_flight.clear)
