"""Fixtures: a sandbox for all tests, and a client of it."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox import Sandbox

import userengage

# A shell starts its background jobs with SIGINT ignored, and programs that the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

_CHECKOUT = Path(__file__).resolve().parents[3]
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox on a free port, which ends with the tests."""
    binary = os.environ.get("UE_SANDBOX") or _CHECKOUT / "target" / "release" / "ue-sandbox"
    with Sandbox(binary, "--tls") as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[userengage.Client]:
    """A client that tries once and gives up after 10 seconds."""
    with sandbox.client() as made:
        yield made


@pytest.fixture
def user_id() -> str:
    """A client_user_id that only this test uses, so that its requests and faults are its own."""
    return f"python-{os.getpid()}-{next(_numbers)}"
