"""The parts of `include/userengage.h` that are used, in ctypes."""

import ctypes as c
import sys
from types import SimpleNamespace
from typing import Any, Final

from . import _library


class Level(c.c_int32):
    """The level of one log line. Each line has its own object, which serves as its key (see `_call`)."""

    __hash__ = object.__hash__


LogFn = c.CFUNCTYPE(None, c.py_object, Level, c.c_char_p)
InterruptFn = c.CFUNCTYPE(c.c_int32, c.py_object)


Fd = c.c_size_t if sys.platform == "win32" else c.c_int


class Options(c.Structure):
    """`ue_options`"""

    _fields_ = (
        ("struct_size", c.c_size_t),
        ("base_url", c.c_char_p),
        ("api_version", c.c_int32),
        ("delivery_policy", c.c_int32),
        ("max_attempts", c.c_uint32),
        ("connect_timeout_ms", c.c_uint32),
        ("timeout_ms", c.c_uint32),
        ("max_per_second", c.c_uint32),
        ("max_connections", c.c_uint32),
        ("proxy", c.c_char_p),
        ("ca_file", c.c_char_p),
        ("user_agent", c.c_char_p),
        ("log", LogFn),
        ("log_user_data", c.py_object),
        ("log_level", c.c_int32),
        ("interrupt", InterruptFn),
        ("interrupt_user_data", c.py_object),
    )


class Message(c.Structure):
    """`ue_message`"""

    _fields_ = (
        ("struct_size", c.c_size_t),
        ("client_user_id", c.c_char_p),
        ("content", c.c_char_p),
        ("user", c.c_int64),
        ("source", c.c_int32),
        ("source_context", c.c_char_p),
        ("client_user_id_length", c.c_size_t),
        ("content_length", c.c_size_t),
        ("source_context_length", c.c_size_t),
        ("timeout_ms", c.c_uint32),
        ("cancel", c.c_void_p),
        ("user_data", c.c_void_p),
    )


class QueueOptions(c.Structure):
    """`ue_queue_options`"""

    _fields_ = (
        ("struct_size", c.c_size_t),
        ("capacity", c.c_uint32),
        ("max_failures_in_a_row", c.c_uint32),
        ("timeout_from", c.c_int32),
    )


class Outcome(c.Structure):
    """`ue_outcome`"""

    _fields_ = (
        ("struct_size", c.c_size_t),
        ("status", c.c_int32),
        ("delivery", c.c_int32),
        ("http_status", c.c_int32),
        ("attempts", c.c_uint32),
        ("may_be_duplicate", c.c_bool),
        ("conversation_id", c.c_int64),
        ("retry_after_ms", c.c_int64),
        ("elapsed_us", c.c_uint64),
        ("request_id", c.c_char_p),
        ("detail", c.c_char_p),
        ("message", c.c_char_p),
        ("body", c.c_char_p),
        ("request_id_length", c.c_size_t),
        ("detail_length", c.c_size_t),
        ("message_length", c.c_size_t),
        ("body_length", c.c_size_t),
        ("retry", c.c_int32),
        ("user_data", c.c_void_p),
    )


_Signatures = dict[str, tuple[Any, tuple[Any, ...]]]
_ResultOut = c.POINTER(c.c_void_p)

# The return type and the argument types of each function.
_WAITING: Final[_Signatures] = {
    "ue_client_new": (c.c_void_p, (c.c_char_p, c.POINTER(Options), _ResultOut)),
    "ue_send_conversation": (c.c_int32, (c.c_void_p, c.POINTER(Message), _ResultOut)),
    "ue_free": (None, (c.c_void_p,)),
    "ue_queue_new": (c.c_void_p, (c.c_void_p, c.POINTER(QueueOptions), _ResultOut)),
    "ue_queue_free": (None, (c.c_void_p,)),
}
_QUICK: Final[_Signatures] = {
    "ue_client_close": (None, (c.c_void_p,)),
    "ue_queue_push": (c.c_int32, (c.c_void_p, c.POINTER(Message), _ResultOut)),
    "ue_queue_fd": (Fd, (c.c_void_p,)),
    "ue_queue_take": (c.c_size_t, (c.c_void_p, _ResultOut, c.c_size_t)),
    "ue_queue_cancel": (c.c_size_t, (c.c_void_p, c.c_void_p)),
    "ue_queue_wait": (c.c_int32, (c.c_void_p, c.c_uint32)),  # only with 0: it looks, and does not wait
    "ue_queue_stop": (None, (c.c_void_p,)),
    "ue_result_read": (c.c_bool, (c.c_void_p, c.POINTER(Outcome))),
    "ue_result_free": (None, (c.c_void_p,)),
    "ue_version": (c.c_char_p, ()),
}


def _declare() -> SimpleNamespace:
    """Declares the functions. A waiting one releases the GIL. A quick one keeps it: getting it back would cost more."""
    library = _library.load()
    functions = SimpleNamespace()
    for kind, signatures in ((c.CDLL, _WAITING), (c.PyDLL, _QUICK)):
        of_kind = kind(library._name, handle=library._handle)
        for name, (restype, argtypes) in signatures.items():
            function = _library.function(of_kind, name)
            function.restype, function.argtypes = restype, argtypes
            setattr(functions, name, function)
    return functions


lib: Final = _declare()
