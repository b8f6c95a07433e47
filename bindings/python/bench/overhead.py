"""What a message costs: the library alone, through this package, through cffi, and with other HTTP clients.

UE_API_KEY=... UE_BASE_URL=http://127.0.0.1:8025/api/public/ python overhead.py [rounds]

All take turns, so that a busy machine is fair to all. CPU is that of this process, not the service's. Needs a C
compiler, and what requirements-bench.txt lists.
"""

from __future__ import annotations

import ctypes as c
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Callable

import cffi
import httpx
import pycurl
import requests

import userengage
from userengage import _convert, _library

KEY, BASE = os.environ["UE_API_KEY"], os.environ["UE_BASE_URL"]
URL = f"{BASE}users/42/conversations/"
CONTENT = "Hi <b>user</b>, enjoy our product!"
CONTEXT = {"name": "This is source_context used in API", "id": 123}
BODY = {"content": CONTENT, "user": 926, "source": 2, "source_context": CONTEXT}
HEADERS = {"Authorization": f"Token {KEY}"}
INCLUDE = Path(__file__).resolve().parents[3] / "include"
TIMES = 100


def core() -> Callable[[int], None]:
    """A loop in C."""
    library = _library.load()._name
    built = Path(tempfile.mkdtemp()) / "core.so"
    source = Path(__file__).with_name("core.c")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", f"-I{INCLUDE}", "-o", built, source, library], check=True)
    client = userengage.Client(KEY, base_url=BASE)
    message = _convert.message(42, CONTENT, 926, 2, CONTEXT)
    send_times = c.CDLL(str(built)).send_times
    send_times.argtypes = [c.c_void_p, c.c_void_p, c.c_int]

    def send(times: int) -> None:
        assert send_times(client._handle, c.byref(message), times) == 0

    return send


def ours() -> Callable[[int], None]:
    """This package."""
    client = userengage.Client(KEY, base_url=BASE)

    def send(times: int) -> None:
        for _ in range(times):
            client.send_conversation(42, CONTENT, user=926, source=2, source_context=CONTEXT)

    return send


def with_cffi() -> Callable[[int], None]:
    """What this package would do if it stood on cffi: the same conversions and the same result, without its hooks."""
    ffi = cffi.FFI()
    header = (INCLUDE.parent / "bindings" / "php" / "src" / "userengage.ffi.h").read_text()
    ffi.cdef("\n".join(line for line in header.splitlines() if not line.startswith("#")))
    lib = ffi.dlopen(_library.load()._name)
    options = ffi.new("ue_options *", {"struct_size": ffi.sizeof("ue_options")})
    base = options.base_url = ffi.new("char[]", BASE.encode())
    client = lib.ue_client_new(KEY.encode(), options, ffi.NULL)
    assert client, base
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
    size = ffi.sizeof("ue_message")

    def send(times: int) -> None:
        for _ in range(times):
            user_id, content = ffi.new("char[]", b"42"), ffi.new("char[]", CONTENT.encode())
            context = ffi.new("char[]", encode(CONTEXT).encode())
            message = ffi.new("ue_message *", (size, user_id, content, 926, 2, context))
            out, length = ffi.new("ue_result **"), ffi.new("size_t *")
            status = lib.ue_send_conversation(client, message, out)
            result = out[0]
            body = lib.ue_result_body(result, length)
            userengage.Result(
                userengage.Status(status),
                userengage.Delivery(lib.ue_result_delivery(result)),
                lib.ue_result_may_be_duplicate(result),
                lib.ue_result_http_status(result),
                lib.ue_result_conversation_id(result),
                None,
                lib.ue_result_attempts(result),
                lib.ue_result_elapsed_us(result) / 1_000_000,
                ffi.string(lib.ue_result_request_id(result)).decode(),
                "",
                "",
                ffi.buffer(body, length[0])[:],
            )
            lib.ue_result_free(result)
            assert status == 0

    return send


def with_requests() -> Callable[[int], None]:
    """requests, with a session."""
    session = requests.Session()
    session.headers.update(HEADERS)

    def send(times: int) -> None:
        for _ in range(times):
            assert session.post(URL, json=BODY).status_code == 201

    return send


def with_httpx() -> Callable[[int], None]:
    """httpx, with a client."""
    client = httpx.Client(headers=HEADERS)

    def send(times: int) -> None:
        for _ in range(times):
            assert client.post(URL, json=BODY).status_code == 201

    return send


def with_pycurl() -> Callable[[int], None]:
    """pycurl, with a handle that is used again."""
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, URL)
    curl.setopt(pycurl.HTTPHEADER, [f"Authorization: Token {KEY}", "Content-Type: application/json"])

    def send(times: int) -> None:
        for _ in range(times):
            received: list[bytes] = []
            curl.setopt(pycurl.POSTFIELDS, json.dumps(BODY))
            curl.setopt(pycurl.WRITEFUNCTION, received.append)
            curl.perform()
            assert curl.getinfo(pycurl.RESPONSE_CODE) == 201

    return send


def main(rounds: int) -> None:
    """Lets all take turns, and prints of each what its quietest tenth of rounds needed at most."""
    versions = {name: metadata.version(name) for name in ("cffi", "requests", "httpx", "pycurl")}
    contenders = {
        "the library alone, from C": core(),
        f"userengage {userengage.__version__}": ours(),
        f"the same on cffi {versions['cffi']}": with_cffi(),
        f"pycurl {versions['pycurl']}": with_pycurl(),
        f"requests {versions['requests']}": with_requests(),
        f"httpx {versions['httpx']}": with_httpx(),
    }
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for send in contenders.values():
        send(TIMES)
    for _ in range(rounds):
        for name, send in contenders.items():
            cpu, wall = time.process_time(), time.perf_counter()
            send(TIMES)
            measured[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    print(
        f"Python {sys.version.split()[0]}, {rounds} rounds of {TIMES} messages, quietest tenth, microseconds a message"
    )
    print(f"{'':32}{'CPU':>8}{'more than the library':>24}{'elapsed':>10}")
    library = None
    for name, rows in measured.items():
        cpu, wall = (statistics.quantiles(column, n=10)[0] / TIMES * 1e6 for column in zip(*rows))
        library = cpu if library is None else library
        print(f"{name:32}{cpu:8.1f}{cpu - library:24.1f}{wall:10.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
