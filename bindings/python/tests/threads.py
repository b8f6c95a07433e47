"""The threads of the library in this process. Python does not know of them."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path


def library_threads() -> int:
    """How many there are."""
    count = 0
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            count += (task / "comm").read_text().startswith("userengage")
    return count


def assert_no_library_threads() -> None:
    """Checks that all have ended. The kernel lists a thread a little longer than the library waits for it."""
    deadline = time.monotonic() + 5
    while library_threads():
        assert time.monotonic() < deadline, "threads of the library are left"
