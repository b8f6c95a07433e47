"""The machine that was measured on, and the versions of what was measured."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from pathlib import Path

import tomllib

from programs import HERE, PYTHON, ROOT


def machine() -> dict[str, str | int]:
    """The machine, in words that another one can be compared by."""
    processor = Path("/proc/cpuinfo").read_text()
    memory = Path("/proc/meminfo").read_text()
    return {
        "processor": re.search(r"model name\s*: (.*)", processor).group(1),
        "virtual": "hypervisor" in re.search(r"flags\s*: (.*)", processor).group(1).split(),
        "cores": os.cpu_count(),
        "memory_gib": round(int(re.search(r"MemTotal:\s*(\d+)", memory).group(1)) / (1 << 20)),
        "kernel": platform.release().split("-")[0],
        "system": platform.freedesktop_os_release()["NAME"].split()[0]
        + " "
        + Path("/etc/debian_version").read_text().strip(),
    }


def versions() -> dict[str, str]:
    """The version of each program and library."""
    lock = tomllib.loads((HERE / "rust" / "Cargo.lock").read_text())["package"]
    crates = {package["name"]: package["version"] for package in lock if package["name"] in ("reqwest", "ureq")}
    packages = "cffi", "httpx", "pycurl", "requests"
    ask = (
        f"import json; from importlib import metadata as m; print(json.dumps({{p: m.version(p) for p in {packages}}}))"
    )
    return {
        "userengage": tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"],
        "Rust": _of("rustc", "--version"),
        "nginx": _of("nginx", "-v"),
        "libcurl": _of("curl-config", "--version"),
        "OpenSSL": _of("openssl", "version"),
        "Python": _of(PYTHON, "--version"),
        "libcurl of pycurl": _of(PYTHON, "-c", "import pycurl; print(pycurl.version.split('libcurl/')[1])"),
        "PHP": _of("php", "--version"),
        "libcurl of ext-curl": _of("php", "-r", "echo curl_version()['version'];"),
        "valgrind": _of("valgrind", "--version"),
        "strace": _of("strace", "--version"),
        **crates,
        **json.loads(subprocess.run([PYTHON, "-c", ask], check=True, capture_output=True).stdout),
    }


def _of(*command: str | Path) -> str:
    """The first version in what a command says."""
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    return re.search(r"\d+\.\d+[.\d]*", said).group()
