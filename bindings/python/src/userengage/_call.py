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
from typing import Any, Callable, Final, cast

from . import _errors, _native

_logger: Final = logging.getLogger("userengage")
_logger.addHandler(logging.NullHandler())
_TRACE: Final = 5
_LEVELS: Final = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG, 5: _TRACE}


class _Thread(threading.local):
    """What the callbacks reach of their thread."""

    lines: dict[_native.Level, bytes]
    raised: list[BaseException | None]
    answers: GeneratorType[int, int | None, None]
    asked: Callable[[], int]
    progress: Callable[[int], object]

    def __init__(self) -> None:
        self.lines = {}
        self.raised = []
        self.progress = int
        self.renew()

    def renew(self) -> None:
        """Makes another generator answer from now on. One serves many calls, for to drop one runs handlers, too."""
        self.answers = cast("GeneratorType[int, int | None, None]", _answers(self))
        self.asked = self.answers.__next__
        next(self.answers)

    # `thread[level] = text` adds a line. Each level is an object of its own, so none is overwritten.
    __setitem__ = property(operator.attrgetter("lines.__setitem__"))

    def log(self) -> None:
        """Hands the lines to `logging`."""
        lines, self.lines = self.lines, {}
        for level, text in lines.items():
            _logger.log(_LEVELS[level.value], "%s", text.decode("utf-8", "replace"))


def _answers(thread: _Thread) -> Generator[int, int | None, None]:
    """Answers, whenever it is asked or told, whether the call shall end: 0 is no."""
    while True:
        try:
            while True:
                done = yield len(thread.raised)
                if thread.lines:
                    thread.log()
                if done is not None and not thread.raised:
                    thread.progress(done)
        except GeneratorExit:
            return
        except BaseException as error:  # noqa: BLE001 (raised when the call has ended)
            thread.raised += [error]  # not append(): after a call, handlers of further signals run


_thread: Final = _Thread()
_interrupt: Final = _native.InterruptFn(operator.methodcaller("asked"))
_log: Final = _native.LogFn(operator.setitem)
_progress: Final = _native.ProgressFn(GeneratorType.send)


def connect(options: _native.Options) -> None:
    """Makes a client ask and tell here; the levels that nobody listens to are not told."""
    options.interrupt, options.interrupt_user_data = _interrupt, _thread
    options.log, options.log_user_data = _log, _thread
    options.log_level = max((level for level, ours in _LEVELS.items() if _logger.isEnabledFor(ours)), default=0)


class Call:
    """One call into the library, on the thread that makes this object or another."""

    __slots__ = ("raised", "thread")

    raised: list[BaseException | None]
    """What ended it: what a signal handler or a log handler raised; None where it was cancelled."""

    thread: int
    """The thread that runs it."""

    def __init__(self) -> None:
        self.raised = []

    def cancel(self) -> None:
        """Ends it, from another thread, within 100 ms."""
        self.raised.append(None)

    def raise_interruption(self, known: BaseException | None) -> None:
        """Raises what ended it, with what is `known` of its message as the context."""
        interruption = self.raised[0] if self.raised else None
        self.raised.clear()  # whose traceback would lead back here
        if interruption is not None:
            interruption.__context__ = known
            raise interruption

    def run(self, function: Callable[..., Any], *args: object) -> Any:
        """Calls `function`, a function of the library that waits, with `args`."""
        outer = _thread.raised, _thread.answers, _thread.asked, _thread.progress
        busy = _thread.answers.gi_running  # a signal handler sends while the call that it interrupted is asked
        if busy or _thread.answers.gi_frame is None:
            _thread.renew()
        _thread.raised = self.raised
        self.thread = threading.get_ident()
        under_way.add(self)
        try:
            if exiting.is_set():
                raise _errors.closed("The interpreter is shutting down. The message was not delivered.")
            return function(*args)
        finally:
            under_way.discard(self)
            _thread.raised, _thread.answers, _thread.asked, _thread.progress = outer
            if _thread.lines:
                _thread.log()

    def run_many(
        self,
        client: int,
        messages: c.Array[_native.Message],
        progress: Callable[[int], object],
        results: c.Array[c.c_void_p],
    ) -> Any:
        """Calls `ue_send_conversations`, and `progress` with the number of messages that are done."""

        def send() -> Any:
            _thread.progress = progress
            teller = c.py_object(_thread.answers)
            return _native.lib.ue_send_conversations(client, messages, len(messages), _progress, teller, results)

        return self.run(send)


under_way: Final[set[Call]] = set()
"""The calls of all threads of this process."""

exiting: Final = threading.Event()
"""The interpreter's end has begun. Looked at after a call is in `under_way`, and set before that is looked at."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=under_way.clear)
