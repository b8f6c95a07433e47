"""Finds and loads the shared library. If that fails, the error says what it looked for and where."""

from __future__ import annotations

import ctypes as c
import os
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

_FILE: Final = {"win32": "userengage.dll", "darwin": "libuserengage.dylib"}.get(sys.platform, "libuserengage.so")
_SYSTEM: Final = "libuserengage.so.0.1" if sys.platform.startswith("linux") else _FILE
_REMEDY: Final = "Install the package again, or set USERENGAGE_LIBRARY to the path of the shared library."


def load() -> c.CDLL:
    """Loads the library that the environment names, else that of the wheel, of the checkout, or of the system."""
    chosen = os.environ.get("USERENGAGE_LIBRARY")
    places = [Path(chosen)] if chosen else _places()
    for place in places:
        if place.exists():
            return _open(str(place))
    looked = [str(place) for place in places]
    if not chosen:
        try:
            return c.CDLL(_SYSTEM)
        except OSError:
            looked.append(f"{_SYSTEM} on the system's library path")
    return _fail(f"libuserengage was not found. Looked for: {', '.join(looked)}. {_REMEDY}", looked[0])


def function(library: c.CDLL, name: str) -> Any:
    """A function of the library."""
    try:
        return getattr(library, name)
    except AttributeError:
        return _fail(
            f"{library._name} is not libuserengage, or too old a one: it has no {name}. {_REMEDY}", library._name
        )


def _places() -> list[Path]:
    package = Path(__file__).resolve().parent
    places = [package / _FILE]
    checkout = package.parents[min(3, len(package.parents) - 1)]
    if (checkout / "include" / "userengage.h").is_file():  # an editable install
        places.append(checkout / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / _FILE)
    return places


def _open(path: str) -> c.CDLL:
    try:
        return c.CDLL(path)
    except OSError as error:
        kind = f"{sys.platform}, {c.sizeof(c.c_void_p) * 8} bits"
        return _fail(f"libuserengage cannot be loaded ({error}). This Python needs one for {kind}. {_REMEDY}", path)


def _fail(message: str, path: str) -> NoReturn:
    raise ImportError(message, name="userengage", path=path)
