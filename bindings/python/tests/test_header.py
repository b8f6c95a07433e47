"""The parts of `include/userengage.h` that the package repeats are the same."""

from __future__ import annotations

import ctypes as c
import re
from pathlib import Path

import pytest

import userengage
from userengage import _native, _result

HEADER = (Path(__file__).resolve().parents[3] / "include" / "userengage.h").read_text()
CODE = re.sub(r"//.*", "", HEADER)
TYPES = {
    "bool": c.c_bool,
    "size_t": c.c_size_t,
    "int32_t": c.c_int32,
    "uint32_t": c.c_uint32,
    "int64_t": c.c_int64,
    "uint64_t": c.c_uint64,
    "ue_status": c.c_int32,
    "ue_delivery": c.c_int32,
    "ue_retry": c.c_int32,
    "const char *": c.c_char_p,
    "void *": c.c_void_p,
    "struct ue_cancel *": c.c_void_p,
    "ue_log_fn ": _native.LogFn,
    "ue_interrupt_fn ": _native.InterruptFn,
}


# A call is cancelled by what a signal handler raises, a batch is a queue, and what waits for one is Python.
NOT_NEEDED = {
    "ue_cancel_free",
    "ue_cancel_new",
    "ue_cancel_trigger",
    "ue_queue_poll",
    "ue_queue_resume",
    "ue_send_conversations",
    "ue_status_name",
    "ue_version_number",
}


@pytest.mark.parametrize(
    ("name", "struct"),
    [
        ("ue_options", _native.Options),
        ("ue_message", _native.Message),
        ("ue_queue_options", _native.QueueOptions),
        ("ue_outcome", _native.Outcome),
    ],
    ids=["options", "message", "queue options", "outcome"],
)
def test_a_struct_has_the_headers_fields(name: str, struct: type[c.Structure]) -> None:
    found = re.search(r"typedef struct " + name + r" \{(.*?)\}", CODE, re.S)
    assert found
    fields = re.findall(r"^ *(\w[\w ]*?[ *]+)(\w+);", found[1], re.M)
    ours = [(field[0], c.c_void_p if field[1] is c.py_object else field[1]) for field in struct._fields_]
    assert ours == [(field, TYPES.get(kind, TYPES.get(kind.strip()))) for kind, field in fields]


def test_every_function_of_a_client_and_its_results_is_used() -> None:
    declared = set(re.findall(r"\b(ue_\w+)\(", CODE))
    read_at_once = {f"ue_result_{field[0]}" for field in _native.Outcome._fields_}
    assert declared - set(vars(_native.lib)) - read_at_once == NOT_NEEDED
    assert set(vars(_native.lib)) <= declared


def test_an_outcome_is_unpacked_as_it_is_laid_out() -> None:
    fields = [field[0] for field in _native.Outcome._fields_]
    texts = ("request_id", "detail", "message", "body")
    numbers = {name: number for number, name in enumerate(fields) if name not in texts}
    numbers["may_be_duplicate"] = 1
    outcome = _native.Outcome(**numbers)
    unpacked = dict(zip(fields, _result._unpack(outcome)))
    assert {name: unpacked[name] for name in numbers} == numbers
    assert len(unpacked) == len(fields)


def test_the_version_is_the_librarys() -> None:
    found = re.search(r'#define UE_VERSION "(.*)"', HEADER)
    assert found
    assert userengage.__version__ == found[1]
