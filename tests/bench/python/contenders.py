"""The contenders in Python: `contenders.py NAME`. Each makes its JSON anew for each message.

What a contender needs is imported by it alone, so that none has another's modules to carry.
"""

from __future__ import annotations

import json
import os
import resource
import ssl
import sys
import time
from pathlib import Path
from typing import Any, Callable
from urllib.parse import urlsplit

KEY, BASE, CA = os.environ["UE_API_KEY"], os.environ["UE_BASE_URL"], os.environ.get("UE_CA_FILE")
URL = f"{BASE}users/42/conversations/"
CONTENT = "Hi <b>user</b>, enjoy our product!"
CONTEXT = {"name": "This is source_context used in API", "id": 123}
BODY = {"content": CONTENT, "user": 926, "source": 2, "source_context": CONTEXT}
HEADERS = {"Authorization": f"Token {KEY}"}
JSON = {"Content-Type": "application/json"}
TIMEOUT = 30

SendOne = Callable[[], None]


def userengage() -> SendOne:
    """This project's package."""
    from userengage import Client

    client = Client(KEY, base_url=BASE, ca_file=CA)

    def send_one() -> None:
        result = client.send_conversation(42, CONTENT, user=926, source=2, source_context=CONTEXT)
        assert result.http_status == 201

    return send_one


def userengage_cffi() -> SendOne:
    """What the package would do if it stood on cffi: the same conversions and the same result, without its hooks."""
    import cffi
    from userengage import Delivery, Result, Retry, Status

    root = Path(__file__).resolve().parents[3]
    header = (root / "bindings" / "php" / "src" / "userengage.ffi.h").read_text()
    ffi = cffi.FFI()
    ffi.cdef("\n".join(line for line in header.splitlines() if not line.startswith("#")))
    lib = ffi.dlopen(os.environ["USERENGAGE_LIBRARY"])
    options = ffi.new("ue_options *", {"struct_size": ffi.sizeof("ue_options")})
    base = options.base_url = ffi.new("char[]", BASE.encode())
    ca = options.ca_file = ffi.NULL if CA is None else ffi.new("char[]", CA.encode())
    client = lib.ue_client_new(KEY.encode(), options, ffi.NULL)
    assert client, (base, ca)
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
    size = ffi.sizeof("ue_message")
    ends_at_nul = [int(ffi.cast("size_t", -1))] * 3
    read = ffi.new("ue_outcome *", {"struct_size": ffi.sizeof("ue_outcome")})

    def send_one() -> None:
        user_id, content = ffi.new("char[]", b"42"), ffi.new("char[]", CONTENT.encode())
        context = ffi.new("char[]", encode(CONTEXT).encode())
        message = ffi.new("ue_message *", (size, user_id, content, 926, 2, context, *ends_at_nul))
        out = ffi.new("ue_result **")
        lib.ue_send_conversation(client, message, out)
        assert lib.ue_result_read(out[0], read)
        result = Result(
            Status(read.status),
            Delivery(read.delivery),
            read.may_be_duplicate,
            read.http_status,
            read.conversation_id,
            None,
            read.attempts,
            read.elapsed_us / 1_000_000,
            ffi.string(read.request_id).decode(),
            "",
            "",
            ffi.buffer(read.body, read.body_length)[:],
            Retry(read.retry),
        )
        lib.ue_result_free(out[0])
        assert result.http_status == 201

    return send_one


def pycurl() -> SendOne:
    """pycurl, with a handle that is used again."""
    import pycurl

    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, URL)
    curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in {**HEADERS, **JSON}.items()])
    curl.setopt(pycurl.TIMEOUT, TIMEOUT)
    if CA:
        curl.setopt(pycurl.CAINFO, CA)

    def send_one() -> None:
        received: list[bytes] = []
        curl.setopt(pycurl.POSTFIELDS, json.dumps(BODY))
        curl.setopt(pycurl.WRITEFUNCTION, received.append)
        curl.perform()
        assert curl.getinfo(pycurl.RESPONSE_CODE) == 201

    return send_one


def requests() -> SendOne:
    """requests, with a session."""
    import requests

    session = requests.Session()
    session.headers.update(HEADERS)
    session.verify = CA or True

    def send_one() -> None:
        assert session.post(URL, json=BODY, timeout=TIMEOUT).status_code == 201

    return send_one


def httpx() -> SendOne:
    """httpx, with a client."""
    import httpx

    client = httpx.Client(headers=HEADERS, verify=ssl.create_default_context(cafile=CA), timeout=TIMEOUT)

    def send_one() -> None:
        assert client.post(URL, json=BODY).status_code == 201

    return send_one


def http_client() -> SendOne:
    """The standard library's http.client, with a connection."""
    from http.client import HTTPConnection, HTTPSConnection

    url = urlsplit(URL)
    connection: Any
    if CA:
        context = ssl.create_default_context(cafile=CA)
        connection = HTTPSConnection(url.netloc, timeout=TIMEOUT, context=context)
    else:
        connection = HTTPConnection(url.netloc, timeout=TIMEOUT)

    def send_one() -> None:
        connection.request("POST", url.path, json.dumps(BODY), {**HEADERS, **JSON})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 201

    return send_one


def take_turns(send_one: SendOne) -> None:
    """Reads a number of messages a line, sends as many, and answers with the microseconds that they took: user, system,
    wall. One more goes before them, uncounted, so that the connection is there.
    """
    for line in sys.stdin:
        messages = range(int(line))
        send_one()
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        for _ in messages:
            send_one()
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
        took = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime, wall
        print(*(round(seconds * 1_000_000) for seconds in took), flush=True)


if __name__ == "__main__":
    contenders = (userengage, userengage_cffi, pycurl, requests, httpx, http_client)
    take_turns({one.__name__: one for one in contenders}[sys.argv[1]]())
