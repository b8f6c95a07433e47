"""Finding and loading the shared library."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import userengage
from userengage import _library

PACKAGE = Path(userengage.__file__).parent


def import_error(package_root: Path, **environment: str) -> str:
    """The error output of a failing `import userengage`."""
    kept = {name: value for name, value in os.environ.items() if name != "USERENGAGE_LIBRARY"}
    done = subprocess.run(
        [sys.executable, "-c", "import userengage"],
        env={**kept, "PYTHONPATH": str(package_root), **environment},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A place with the package and without a library."""
    shutil.copytree(PACKAGE, tmp_path / "userengage", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    return tmp_path


def test_a_missing_library_says_what_was_looked_for_and_where(installed: Path) -> None:
    assert import_error(installed) == (
        f"ImportError: libuserengage was not found. Looked for: {installed}/userengage/libuserengage.so, "
        "libuserengage.so.0.1 on the system's library path. "
        "Install the package again, or set USERENGAGE_LIBRARY to the path of the shared library."
    )


def test_the_systems_library_is_found_by_its_soname(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "libuserengage.so.0.1").symlink_to(Path(_library.load()._name).resolve())
    kept = {name: value for name, value in os.environ.items() if name != "USERENGAGE_LIBRARY"}
    places = {"PYTHONPATH": str(installed), "LD_LIBRARY_PATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", "import userengage"], env={**kept, **places}, check=True)


def test_a_path_in_the_environment_is_the_only_place(installed: Path) -> None:
    message = import_error(installed, USERENGAGE_LIBRARY="/nowhere/libuserengage.so")
    assert message.startswith(
        "ImportError: libuserengage was not found. Looked for: /nowhere/libuserengage.so. Install"
    )


def test_a_file_that_is_no_library_is_named(installed: Path) -> None:
    (installed / "userengage" / "libuserengage.so").write_text("no library")
    message = import_error(installed)
    assert message.startswith("ImportError: libuserengage cannot be loaded (")
    assert f"{installed}/userengage/libuserengage.so" in message
    assert "This Python needs one for linux, 64 bits." in message


def test_another_library_is_named(installed: Path) -> None:
    message = import_error(installed, USERENGAGE_LIBRARY="/lib/x86_64-linux-gnu/libm.so.6")
    assert message.startswith(
        "ImportError: /lib/x86_64-linux-gnu/libm.so.6 is not libuserengage, or too old a one: it has no ue_client_new."
    )
