"""Sends many messages: reads them in steps, sends each step, and shows the progress."""

from __future__ import annotations

import contextlib
import ctypes as c
import importlib
import importlib.util
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any, Callable, Final, Union

from . import _convert, _errors, _native, _result
from ._call import Call
from ._result import Result, Status
from ._types import Message

Progress = Union[bool, Callable[[int], object]]
_STEP: Final = 1_000


def check(messages: object, progress: object) -> None:
    """Refuses a single message or text, whose fields or letters would be taken for messages."""
    if isinstance(messages, (Message, Mapping, str, bytes)) or not isinstance(messages, Iterable):
        raise TypeError(f"messages is {_convert.kind(messages)}: give a list or another iterable of them")
    if not callable(progress) and progress not in (True, False, None):
        raise TypeError(f"progress is {_convert.kind(progress)}: give True, False or a function")


def steps(
    messages: Iterable[Message | Mapping[str, Any]], results: list[Result]
) -> Iterator[list[Message | Mapping[str, Any]]]:
    """Reads the messages in steps: large enough to keep the connections busy, small enough for the memory.

    If reading a message raises, those of its step are not sent, and `results` gets an outcome for each.
    """
    remaining = iter(messages)
    while True:
        step: list[Message | Mapping[str, Any]] = []
        try:
            for message in itertools.islice(remaining, _STEP):
                step.append(message)
        except BaseException:
            results += [_result.NOT_BEGUN] * len(step)
            raise
        if not step:
            return
        yield step


def send(
    client: int,
    step: list[Message | Mapping[str, Any]],
    call: Call,
    progress: Callable[[int], object],
    results: list[Result],
) -> None:
    """Sends the messages of one step and adds their outcomes to `results`. Raises what ended it early."""
    outcomes: list[Result | None] = [None] * len(step)
    prepared: list[_native.Message] = []
    handles: c.Array[c.c_void_p] = (c.c_void_p * len(step))()
    before = len(results)
    call.progress = lambda done: progress(before + done)
    try:
        for index, message in enumerate(step):
            try:
                prepared.append(_prepare(message))
            except (TypeError, _errors.InvalidArgumentError) as error:
                outcomes[index] = _result.not_sent(Status.INVALID_ARGUMENT, str(error))
        call.run_many(client, (_native.Message * len(prepared))(*prepared), handles)
    finally:
        taken = (_result.take(handle) for handle in handles)
        results += [outcome or next(taken) for outcome in outcomes]
        for handle in handles:
            _native.lib.ue_result_free(handle)
    if call.raised:
        call.raise_interruption(None)
    progress(len(results))


@contextlib.contextmanager
def kept(results: list[Result]) -> Iterator[None]:
    """Gives an exception that ends the sending early a context with the outcomes so far."""
    try:
        yield
    except BaseException as error:
        if error.__context__ is None:
            error.__context__ = _errors.cut_short(results)
        raise


def _prepare(message: Message | Mapping[str, Any]) -> _native.Message:
    if isinstance(message, Message):
        return _convert.message(*message)
    if isinstance(message, Mapping):
        unknown = [name for name in message if name not in Message._fields]
        if unknown:
            raise TypeError(f"{unknown[0]} is not a field of a message: give {', '.join(Message._fields)}")
        given: list[Any] = [message.get(name) for name in Message._fields]
        return _convert.message(*given)
    raise TypeError(f"the message is {_convert.kind(message)}: give a Message, or a mapping of its fields")


@contextlib.contextmanager
def shown(progress: Progress, messages: object) -> Iterator[Callable[[int], object]]:
    """Gives the function to call with the number of messages done."""
    if callable(progress):
        yield progress
    elif progress and importlib.util.find_spec("tqdm"):
        count = len(messages) if isinstance(messages, Sized) else None
        with importlib.import_module("tqdm.auto").tqdm(total=count, unit="message") as bar:
            yield lambda done: bar.update(done - bar.n)
    else:
        yield int  # does nothing
