"""`BaseClient`: a client of the library, its options, and how one call is made."""

from __future__ import annotations

import atexit
import ctypes as c
import os
import threading
import time
import weakref
from typing import Any, Final

from . import _batch, _call, _convert, _errors, _native, _result
from ._native import lib
from ._queue import Queue
from ._types import DeliveryPolicy


class BaseClient:
    """The common base of `Client` and `AsyncClient`."""

    __slots__ = ("__weakref__", "_ahead", "_handle")

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        api_version: int = 0,
        delivery_policy: int = DeliveryPolicy.AT_MOST_ONCE,
        max_attempts: int | None = None,
        connect_timeout: float | None = None,
        timeout: float | None = None,
        max_per_second: int | None = None,
        max_connections: int | None = None,
        proxy: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        user_agent: str | None = None,
    ) -> None:
        """Makes a client. Connects to nothing yet.

        Args:
            api_key: The API key of your application. Default: the environment variable UE_API_KEY.
            base_url: Where the API is, with or without its trailing slash: https, or http on a loopback host.
                Default: "https://app.userengage.com/api/public/".
            api_version: 0: as the specification. 2: answers carry the conversation's id. Default: 0.
            delivery_policy: What to do when it is unknown whether an attempt delivered the message.
                Default: DeliveryPolicy.AT_MOST_ONCE.
            max_attempts: The most requests for one message; 1 means exactly one on the wire. Default: 4.
            connect_timeout: Seconds for DNS, TCP, proxy and TLS of one attempt. Default: 10.
            timeout: The deadline: seconds for the whole call, every attempt and wait included. With send_conversations,
                for each message from its turn on. A call or a message can have its own. Default: 30.
            max_per_second: The rate limit: the most requests a second over all threads. Default: no limit.
            max_connections: The size of the connection pool: the most idle connections that are kept for reuse.
                Also the most messages in flight at once, in a batch and in an AsyncClient. At most 256. Default: 8.
            proxy: Such as "http://user:password@proxy:3128", special characters percent-encoded; "" for none.
                Also used with an http base_url on a loopback host. Default, for https only: the environment
                variables HTTPS_PROXY (else ALL_PROXY) and NO_PROXY.
            ca_file: A PEM file with the only certificate authorities to trust.
                Default: Mozilla's, which are built in.
            user_agent: Put before "userengage/<version>" in the User-Agent header. Default: nothing.

        Raises:
            InvalidArgumentError: An argument cannot be used; the text names it.
            ConnectError: The process has run out of descriptors.
            TypeError: An argument is of a wrong type.
        """
        if api_key is None:
            api_key = os.environ.get("UE_API_KEY")
            if api_key is None:
                raise _errors.invalid("api_key is missing: give it, or set the environment variable UE_API_KEY")
        options = _native.Options(
            struct_size=c.sizeof(_native.Options),
            base_url=_convert.optional_text("base_url", base_url),
            api_version=_convert.choice("api_version", api_version),
            delivery_policy=_convert.choice("delivery_policy", delivery_policy, "a DeliveryPolicy"),
            max_attempts=_convert.count("max_attempts", max_attempts),
            connect_timeout_ms=_convert.milliseconds("connect_timeout", connect_timeout),
            timeout_ms=_convert.milliseconds("timeout", timeout),
            max_per_second=_convert.count("max_per_second", max_per_second),
            max_connections=_convert.count("max_connections", max_connections, _MOST_CONNECTIONS),
            proxy=_convert.optional_text("proxy", proxy),
            ca_file=_convert.path("ca_file", ca_file),
            user_agent=_convert.optional_text("user_agent", user_agent),
        )
        _call.connect(options)
        result = c.c_void_p()
        handle = lib.ue_client_new(_convert.text("api_key", api_key), c.byref(options), c.byref(result))
        try:
            if not handle:
                raise _errors.of(_result.take(result))
        finally:
            lib.ue_result_free(result)
        self._handle: int = handle
        # The finalizer runs when nothing refers to the client any more, so no call is in flight. It does not run at
        # exit, because threads may still be inside a call.
        weakref.finalize(self, lib.ue_free, handle).atexit = False
        _alive.add(self)
        self._ahead = _batch.ahead(options.max_connections or _MAX_CONNECTIONS)
        self._begin()

    def _begin(self) -> None:
        """A hook for subclasses: makes what they need in addition."""

    def _send(self, message: _native.Message, call: _call.Call) -> _result.Result:
        """Sends a message on this thread. Raises on failure or interruption."""
        handle = c.c_void_p()
        try:
            call.run(lib.ue_send_conversation, self._handle, message, handle)
            result = _result.take(handle)
        finally:
            lib.ue_result_free(handle)
        if call.raised:
            call.raise_interruption(_errors.of_ended(result))
        if result.status:  # OK is 0
            raise _errors.of(result)
        return result

    def _new_queue(self, timeout_from: int, max_failures_in_a_row: int | None = None) -> Queue:
        return Queue(self._handle, timeout_from, _convert.count("max_failures_in_a_row", max_failures_in_a_row))

    def _close(self) -> None:
        lib.ue_client_close(self._handle)

    def __reduce__(self) -> Any:
        name = type(self).__name__
        raise TypeError(f"{name} can be neither pickled nor copied: make one in each process, or share it by fork")


_MAX_CONNECTIONS: Final = 8  # the library's default
_MOST_CONNECTIONS: Final = 256  # more are refused by the library
_alive: Final[weakref.WeakSet[BaseClient]] = weakref.WeakSet()
_LONGEST_EXIT: Final = 2.0


def _close_all() -> None:
    """Ends the calls in flight on daemon threads: the library must not call into an interpreter that shuts down."""
    _call.refuse()
    for client in list(_alive):
        client._close()
    here, deadline = threading.get_ident(), time.monotonic() + _LONGEST_EXIT
    while any(call.thread != here for call in list(_call.in_flight)) and time.monotonic() < deadline:
        time.sleep(0.001)


atexit.register(_close_all)
