"""Converts Python values for the C API. Refuses values that C would cut, wrap or take for "not given"."""

from __future__ import annotations

import ctypes as c
import json
import math
import operator
import os
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Final

from . import _native
from ._errors import invalid
from ._types import ClientUserId, SourceContext

_MESSAGE_SIZE: Final = c.sizeof(_native.Message)
_MOST: Final = (1 << 32) - 1
_LONGEST: Final = ((1 << 31) - 1) // 1000
"""The longest time limit that the library takes, in seconds: 24 days."""
_JSON: Final = "use dict, list, str, finite numbers, bool and None"


def message(
    client_user_id: ClientUserId,
    content: str,
    user: int | None = None,
    source: int | None = None,
    source_context: SourceContext | None = None,
    timeout: float | None = None,
) -> _native.Message:
    """A message for the library."""
    id_text = identifier("client_user_id", client_user_id)
    content_text = utf8("content", content)
    context_text = None if source_context is None else json_text("source_context", source_context)
    return _native.Message(
        _MESSAGE_SIZE,
        id_text,
        content_text,
        0 if user is None else positive("user", user, 1 << 63, "give the positive id of the agent who writes"),
        0 if source is None else _source(source),
        context_text,
        len(id_text),
        len(content_text),
        0 if context_text is None else len(context_text),
        0 if timeout is None else milliseconds("timeout", timeout),
    )


def utf8(field: str, value: str) -> bytes:
    """A str as UTF-8."""
    if not isinstance(value, str):
        raise TypeError(f"{field} is {kind(value)}: give a str")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        at = error.start
    # Raised outside of the except block: the UnicodeEncodeError holds the whole text, and would be its context.
    raise invalid(f"{field} has half a surrogate pair at character {at}, which is not a text: decode it properly")


def text(field: str, value: str) -> bytes:
    """A str as UTF-8, without a NUL: C reads up to the first one."""
    data = utf8(field, value)
    at = data.find(b"\0")
    if at >= 0:
        raise invalid(f"{field} has a NUL at byte {at}: remove it")
    return data


def optional_text(field: str, value: str | None) -> bytes | None:
    return None if value is None else text(field, value)


def path(field: str, value: str | os.PathLike[str] | None) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{field} is {kind(value)}: give a str or a path")
    return text(field, os.fspath(value))


def identifier(field: str, value: ClientUserId) -> bytes:
    if isinstance(value, str):
        return utf8(field, value)
    number = value if type(value) is int else _index(field, value, "an int or a str")
    try:
        return b"%d" % number
    except ValueError:
        raise invalid(f"{field} is {_written(number)}: give the id of one user") from None


def _source(value: int) -> int:
    return positive("source", value, 1 << 31, "give a Source or another positive number", "a Source or a positive int")


def positive(field: str, value: int, limit: int, remedy: str, wanted: str = "an int") -> int:
    """A number from 1 to below `limit`. C takes 0 for "not given", and would cut larger numbers."""
    number = value if type(value) is int else _index(field, value, wanted)
    if not 0 < number < limit:
        raise invalid(f"{field} is {_written(number)}: {remedy}, or leave it out")
    return number


def count(field: str, value: int | None, most: int = _MOST) -> int:
    """A number from 1 to `most`. None becomes 0, which means the default to C."""
    if value is None:
        return 0
    number = _index(field, value)
    if not 0 < number <= most:
        raise invalid(f"{field} is {_written(number)}: give a number from 1 to {most}, or leave it out")
    return number


def milliseconds(field: str, seconds: float | None) -> int:
    """Seconds, rounded up to milliseconds. None becomes 0, which means the default to C."""
    if seconds is None:
        return 0
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"{field} is {kind(seconds)}: give seconds as a float or an int")
    if not 0 < seconds <= _LONGEST:
        shown = _written(seconds) if isinstance(seconds, int) else seconds
        remedy = f"give more than 0 and at most {_LONGEST} seconds (24 days), or leave it out"
        raise invalid(f"{field} is {shown}: {remedy}")
    return math.ceil(seconds * 1000)


def choice(field: str, value: int, wanted: str = "an int") -> int:
    """A number that the library checks against the values that it knows."""
    number = _index(field, value, wanted)
    if not -(1 << 31) <= number < 1 << 31:
        raise invalid(f"{field} is {_written(number)}, which is not one of its values: leave it out for the default")
    return number


def json_text(field: str, value: SourceContext) -> bytes:
    """The JSON text of a mapping or a list."""
    if not isinstance(value, (dict, list, tuple, Mapping)):
        raise TypeError(f"{field} is {kind(value)}: give a dict or a list")
    try:
        written = "".join(_encode(value, 0))
    except (TypeError, ValueError) as error:
        raise invalid(f"{field} cannot be written as JSON ({error}): {_JSON}") from error
    except RecursionError:
        raise invalid(f"{field} is nested too deeply, or holds itself: give a flatter one") from None
    return utf8(field, written)


def _mapping(value: object) -> dict[Any, Any]:
    """Converts a mapping that json cannot write itself."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value {kind(value)} has no JSON form")


def _encoder() -> Callable[[object, int], Iterable[str]]:
    """Makes the function that writes a value as JSON, in pieces."""
    encoder = json.JSONEncoder(
        ensure_ascii=False,
        check_circular=False,  # the check costs more than everything else; without it a cycle ends in a RecursionError
        allow_nan=False,
        separators=(",", ":"),
        default=_mapping,
    )
    # Made once here: encode() makes it for each value, which takes longer than writing most of them.
    made_in_c: Any = getattr(json.encoder, "c_make_encoder", None)
    try:
        encode: Callable[[object, int], Iterable[str]] = made_in_c(
            None, encoder.default, json.encoder.encode_basestring, None, ":", ",", False, False, False
        )
    except (AttributeError, TypeError):  # this Python does not have it, or has another one
        return lambda value, _level: encoder.iterencode(value)
    return encode


_encode: Final = _encoder()


def _written(number: int) -> str:
    """A number for a person. Python refuses to print a number of thousands of digits."""
    return str(number) if abs(number) < 10**100 else "a number of more than 100 digits"


def _index(field: str, value: int, wanted: str = "an int") -> int:
    if isinstance(value, bool):
        raise TypeError(f"{field} is {kind(value)}: give {wanted}")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{field} is {kind(value)}: give {wanted}") from None


def kind(value: object) -> str:
    """The type of a value for an error text. Not the value, which may be secret."""
    return "None" if value is None else f"of type {type(value).__name__}"
