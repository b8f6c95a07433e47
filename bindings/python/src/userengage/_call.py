"""`Call`: one call into the library, and what reaches Python from inside it.

The library asks at once when a signal came in, and else every 100 ms, whether to go on; and it tells log lines. Both
arrive on the thread that waits, through ctypes callbacks, and there lies a trap. The interpreter runs signal handlers,
such as the one that raises KeyboardInterrupt, at the first instruction of a Python function, before any `try` in it;
and ctypes prints what leaves a callback and drops it. So no Python function stands in a callback's way. What is called
is written in C, and leads to

- a generator that waits at a `yield` inside its `try`: handlers run where it goes on, and what they raise is kept.
  The progress of many messages is told to it, too;
- a dict that takes the log lines, which are handed to `logging` when the library next asks, or returns.

Both belong to the thread: `threading.local` finds them without running Python code.
"""

from __future__ import annotations

import ctypes as c
import logging
import operator
import os
import threading
from collections.abc import Generator
from types import GeneratorType
from typing import Callable, Final, cast

from . import _errors, _native

_logger: Final = logging.getLogger("userengage")
_logger.addHandler(logging.NullHandler())
_TRACE: Final = 5
_LEVELS: Final = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG, 5: _TRACE}


class Call:
    """One call into the library, on the thread that makes this object or another."""

    __slots__ = ("progress", "raised", "thread")

    raised: list[BaseException | None]
    """What ended it: what a signal handler or a log handler raised; None where it was cancelled."""

    progress: Callable[[int], object]
    """Told how many of many messages are done."""

    thread: int
    """The thread that runs it."""

    def __init__(self) -> None:
        self.raised = []
        self.progress = int  # which does nothing

    def cancel(self) -> None:
        """Ends it, from another thread, within 100 ms."""
        self.raised.append(None)

    def raise_interruption(self, known: BaseException | None) -> None:
        """Raises what ended it, with what is `known` of its message as the context."""
        interruption = self.raised[0]
        self.raised.clear()  # whose traceback would lead back here
        if interruption is not None:
            interruption.__context__ = known
            raise interruption

    def run(self, function: Callable[..., object], *args: object) -> None:
        """Calls `function`, a function of the library that waits. What ends it is in `raised` then."""
        thread = _here.thread
        outer, thread.call = thread.call, self  # outer: where a signal handler sends in the midst of a call
        answers = thread.answers
        if answers.gi_running or answers.gi_frame is None:
            _here.renew()
        self.thread = thread.ident
        under_way.add(self)
        try:
            if _exiting:
                raise _errors.closed("The interpreter is shutting down. The message was not delivered.")
            try:
                function(*args)
            except BaseException as error:  # noqa: BLE001 (a signal handler's, which ran as the library returned)
                self.raised += [error]
            if thread.lines:
                thread.asked()
        finally:
            under_way.discard(self)
            thread.call = outer

    def run_many(self, client: int, messages: c.Array[_native.Message], results: c.Array[c.c_void_p]) -> None:
        """Calls `ue_send_conversations`."""

        def send() -> None:
            teller = c.py_object(_here.thread.answers)
            _native.lib.ue_send_conversations(client, messages, len(messages), _progress, teller, results)

        self.run(send)


class _Thread:
    """What the callbacks reach of one thread."""

    __slots__ = ("answers", "asked", "call", "ident", "lines")

    answers: GeneratorType[int, int | None, None]
    asked: Callable[[], int]
    call: Call
    ident: int
    lines: dict[_native.Level, bytes]

    def __init__(self) -> None:
        self.call = Call()
        self.ident = threading.get_ident()
        self.lines = {}

    def log(self) -> None:
        """Hands the lines to `logging`."""
        lines, self.lines = self.lines, {}
        for level, text in lines.items():
            _logger.log(_LEVELS[level.value], "%s", text.decode("utf-8", "replace"))


class _Here(threading.local):
    """Finds the `_Thread` of the thread that asks. What C asks of it does not run Python code."""

    thread: _Thread

    def __init__(self) -> None:
        self.thread = _Thread()
        self.renew()

    def renew(self) -> None:
        """Makes another generator answer from now on. One serves many calls, for to drop one runs handlers, too."""
        answers = cast("GeneratorType[int, int | None, None]", _answers(self))
        self.thread.answers, self.thread.asked = answers, answers.__next__
        next(answers)

    # `here.asked()` asks.
    asked = property(operator.attrgetter("thread.asked"))

    # `here[level] = text` adds a line. Each level is an object of its own, so none is overwritten.
    __setitem__ = property(operator.attrgetter("thread.lines.__setitem__"))


def _answers(here: _Here) -> Generator[int, int | None, None]:
    """Answers, whenever it is asked or told, whether the call shall end: 0 is no."""
    while True:
        try:
            while True:
                done = yield len(here.thread.call.raised)
                if here.thread.lines:
                    here.thread.log()
                if done is not None and not here.thread.call.raised:
                    here.thread.call.progress(done)
        except GeneratorExit:
            return
        except BaseException as error:  # noqa: BLE001 (raised when the call has ended)
            here.thread.call.raised += [error]  # not append(): after a call, handlers of further signals run


_here: Final = _Here()
_interrupt: Final = _native.InterruptFn(operator.methodcaller("asked"))
_log: Final = _native.LogFn(operator.setitem)
_progress: Final = _native.ProgressFn(GeneratorType.send)


def connect(options: _native.Options) -> None:
    """Makes a client ask and tell here; the levels that nobody listens to are not told."""
    options.interrupt, options.interrupt_user_data = _interrupt, _here
    options.log, options.log_user_data = _log, _here
    options.log_level = max((level for level, ours in _LEVELS.items() if _logger.isEnabledFor(ours)), default=0)


under_way: Final[set[Call]] = set()
"""The calls of all threads of this process."""

_exiting = False


def refuse() -> None:
    """Refuses every further call: the interpreter's end has begun. What is in `under_way` after it is all there is."""
    global _exiting  # noqa: PLW0603
    _exiting = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=under_way.clear)
