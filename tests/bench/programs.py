"""The contenders, and the programs that they and the other measurements need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
_BUILT = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
LIBRARY = Path(os.environ.get("USERENGAGE_LIBRARY", _BUILT / "release" / "libuserengage.so"))
SANDBOX = Path(os.environ.get("UE_SANDBOX", _BUILT / "release" / "ue-sandbox"))
TARGET = _BUILT / "bench"
PYTHON = TARGET / "python" / "bin" / "python"

# What the tests do not need and the bench does.
PACKAGES = ("libcurl4-openssl-dev", "libssl-dev", "openssl", "php-curl", "strace")


@dataclass(frozen=True)
class Contender:
    """A program that takes turns at sending."""

    language: str
    name: str
    command: tuple[str | Path, ...]
    ours: bool = False
    aside: bool = False  # a question of this project's own: not for the figure

    @property
    def key(self) -> str:
        """Its name among all."""
        return f"{self.language}: {self.name}"


OURS = "userengage"
C = f"C: {OURS}"  # what the other faces are held beside
_RUST = TARGET / "rust" / os.environ.get("CARGO_BUILD_TARGET", "") / "release"
_PYTHON = (PYTHON, HERE / "python" / "contenders.py")
_PHP = ("php", HERE / "php" / "contenders.php")

CONTENDERS = (
    Contender("C", OURS, (TARGET / "userengage",), ours=True),
    Contender("C", "libcurl", (TARGET / "libcurl",)),
    Contender("C", "bare socket", (TARGET / "socket",)),
    Contender("C++", OURS, (TARGET / "userengage-cpp",), ours=True),
    Contender("Rust", OURS, (_RUST / "userengage",), ours=True),
    Contender("Rust", "ureq", (_RUST / "peers", "ureq")),
    Contender("Rust", "reqwest", (_RUST / "peers", "reqwest")),
    Contender("Python", OURS, (*_PYTHON, "userengage"), ours=True),
    Contender("Python", "userengage on cffi", (*_PYTHON, "userengage_cffi"), aside=True),
    Contender("Python", "pycurl", (*_PYTHON, "pycurl")),
    Contender("Python", "http.client", (*_PYTHON, "http_client")),
    Contender("Python", "httpx", (*_PYTHON, "httpx")),
    Contender("Python", "requests", (*_PYTHON, "requests")),
    Contender("PHP", OURS, (*_PHP, "userengage"), ours=True),
    Contender("PHP", "bare FFI", (*_PHP, "ffi"), aside=True),
    Contender("PHP", "ext-curl", (*_PHP, "curl")),
)

# Over so many connections at once.
CONNECTIONS = (8, 64)

# The sources of the programs in C and C++, and what they are compiled with.
_SOURCES = {
    "userengage": ("userengage.c", "-luserengage"),
    "userengage-cpp": ("userengage.cpp", "-std=c++17", "-luserengage"),
    "libcurl": ("libcurl.c", "-lcurl"),
    "socket": ("socket.c", "-lssl"),
    "start": ("start.c",),
    "many": ("many.c", "-luserengage"),
    "queue": ("queue.c", "-luserengage"),
    "batch": ("batch.c", "-luserengage"),
    "multi": ("multi.c", "-lcurl"),
    "push": ("push.c", "-luserengage"),
    "cancel": ("cancel.c", "-luserengage"),
}


def over(connections: int, program: str = "queue", capacity: int = 0) -> Contender:
    """A contender that sends many at once: a queue, a batch, or libcurl's multi interface."""
    name = f"{program} over {connections}"
    arguments = [str(connections), *([str(capacity)] if program == "queue" else [])]
    return Contender("C", name, (TARGET / program, *arguments), ours=program != "multi")


def at_once(connections: int) -> list[Contender]:
    """All that send many at once, over so many connections."""
    return [over(connections, program) for program in ("multi", "queue", "batch")]


def build() -> None:
    """Installs what this machine lacks, and builds all programs."""
    subprocess.run([ROOT / "tests" / "setup", *PACKAGES], check=True)
    TARGET.mkdir(parents=True, exist_ok=True)
    for program in _SOURCES:
        compile_c(program)
    for feature in ("userengage", "peers"):
        _cargo(feature)
    _venv()


def compile_c(program: str) -> Path:
    """Compiles a program in C or C++, and returns its path."""
    source, *options = _SOURCES[program]
    compiler = os.environ.get("CXX", "c++") if source.endswith(".cpp") else os.environ.get("CC", "cc")
    release = LIBRARY.parent
    command = [compiler, "-O2", "-Wall", "-Wextra", f"-I{ROOT / 'include'}"]
    command += ["-o", str(TARGET / program), str(HERE / "c" / source)]
    subprocess.run([*command, f"-L{release}", f"-Wl,-rpath,{release}", *options], check=True)
    return TARGET / program


def _cargo(feature: str) -> None:
    # Not --locked: what the library needs may have changed since.
    command = [os.environ.get("CARGO", "cargo"), "build", "--quiet", "--release", "--target-dir", TARGET / "rust"]
    command += ["--manifest-path", HERE / "rust" / "Cargo.toml", "--features", feature, "--bin", feature]
    subprocess.run(command, check=True)


def _venv() -> None:
    """Makes it once, and again when the requirements change."""
    wanted, stamp = HERE / "python" / "requirements.txt", PYTHON.parents[1] / "requirements.txt"
    if stamp.exists() and stamp.read_bytes() == wanted.read_bytes():
        return
    interpreter = os.environ.get("PYTHON", sys.executable)
    subprocess.run([interpreter, "-m", "venv", "--clear", PYTHON.parents[1]], check=True)
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", wanted], check=True)
    shutil.copy(wanted, stamp)
