"""The wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from sandbox import Sandbox

from userengage import _library

PACKAGE = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel with the tested library."""
    place = tmp_path_factory.mktemp("wheel")
    arguments = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(place)]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *arguments, str(PACKAGE)],
        env={**os.environ, "USERENGAGE_LIBRARY": _library.load()._name},
        check=True,
    )
    (built,) = place.glob("*.whl")
    return built


def test_a_wheel_is_for_every_python_3_of_one_platform(wheel: Path) -> None:
    assert re.fullmatch(r"userengage-\d+\.\d+\.\d+-py3-none-linux_\w+\.whl", wheel.name)


def test_a_wheel_has_the_package_the_library_and_the_licence_and_needs_nothing(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    sources = {f"userengage/{path.name}" for path in (PACKAGE / "src" / "userengage").glob("*.py")}
    assert sources | {"userengage/py.typed", "userengage/libuserengage.so"} == {
        name for name in names if name.startswith("userengage/")
    }
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert "Requires-Dist" not in metadata


def test_a_wheel_links_nothing_but_the_c_library(wheel: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", str(wheel)], check=True, capture_output=True, text=True
    ).stdout
    assert "manylinux" in shown
    assert set(re.findall(r"[\w-]+\.so[.\d]*", shown)) <= {"libc.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"}


def test_a_library_that_is_not_there_is_named() -> None:
    built = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "--quiet",
            str(PACKAGE),
        ],
        env={**os.environ, "USERENGAGE_LIBRARY": "nowhere/libuserengage.so"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert built.returncode != 0
    assert "USERENGAGE_LIBRARY is nowhere/libuserengage.so, which is not a file: give the whole path" in built.stderr


def test_an_installed_wheel_sends_without_a_checkout(
    wheel: Path, sandbox: Sandbox, user_id: str, tmp_path: Path
) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--target", str(tmp_path), str(wheel)],
        check=True,
    )
    environment = {name: value for name, value in sandbox.environment().items() if name != "USERENGAGE_LIBRARY"}
    done = subprocess.run(
        [sys.executable, PACKAGE / "examples" / "send.py", user_id],
        env={**environment, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("DELIVERED: HTTP 201")
