"""Runs the sandbox and queries it."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.parse
import urllib.request
from types import TracebackType
from typing import TYPE_CHECKING, Any

import userengage

if TYPE_CHECKING:
    from typing_extensions import Self


class Sandbox:
    """A running `ue-sandbox`. It ends with the `with` block, and with this process."""

    def __init__(self, binary: str | os.PathLike[str], *arguments: str) -> None:
        self._process = subprocess.Popen(
            [binary, "--port", "0", "--json", "--until-stdin-closes", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        ready = json.loads(self._process.stdout.readline())
        self.api_key: str = ready["api_key"]
        self.base_url: str = ready["base_url"]
        self.tls_base_url: str = ready["tls_base_url"]
        self.ca_file: str = ready["ca_file"]
        self._url: str = ready["control_url"] + "_sandbox/"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def client(self, **options: Any) -> userengage.Client:
        """A client of this sandbox that tries once and gives up after 10 seconds."""
        return userengage.Client(
            options.pop("api_key", self.api_key),
            **{"base_url": self.base_url, "max_attempts": 1, "timeout": 10, **options},
        )

    def environment(self) -> dict[str, str]:
        """The environment variables for a program that uses this sandbox."""
        return {**os.environ, "UE_API_KEY": self.api_key, "UE_BASE_URL": self.base_url}

    def requests(self, client_user_id: str) -> list[dict[str, Any]]:
        """The journal's entries for this user."""
        answer = self._ask("requests?" + urllib.parse.urlencode({"client_user_id": client_user_id}))
        assert isinstance(answer, list)
        return answer

    def only_request(self, client_user_id: str) -> dict[str, Any]:
        """The one entry in the journal for this user."""
        (request,) = self.requests(client_user_id)
        return request

    def wait_for_request(self, client_user_id: str) -> None:
        """Waits until the journal has a request of this user: it was sent, and may not be answered yet."""
        deadline = time.monotonic() + 10
        while not self.requests(client_user_id):
            assert time.monotonic() < deadline, f"no request for {client_user_id} came"

    def order(self, fault: str, client_user_id: str, **parameters: Any) -> None:
        """Orders a fault for the requests of this user."""
        self._ask("faults", {"fault": fault, "client_user_id": client_user_id, **parameters})

    def _ask(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
