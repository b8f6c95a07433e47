"""The servers that messages go to: nginx, and the sandbox where an answer must be late or refused."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from programs import SANDBOX

CPUS = sorted(os.sched_getaffinity(0))
# Clients that take turns share their CPU with the server. On two virtual ones each message wakes a halted one up, at a
# cost that depends on the neighbours and that hides all else. For what is about many at once each has its own.
SERVER, CLIENT = CPUS[0], CPUS[-1]

SCHEMES = "http", "https"
API_KEY = "bench-0000-0000-0000-not-a-real-key-0000-0000-0000-0000-00000000"

# Answers as the service does, with the headers that it has, but its own name for the server. The body of a request is
# read and dropped; that of a client that sends it after its head may be answered before.
CONFIGURATION = """
daemon off;
pid nginx.pid;
worker_processes 1;
error_log stderr error;
events {{}}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  default_type application/json;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  ssl_certificate server.pem;
  ssl_certificate_key server.key;
  ssl_protocols TLSv1.2 TLSv1.3;
  server {{
    listen 127.0.0.1:{http};
    listen 127.0.0.1:{https} ssl;
    location /api/public/users/ {{
      add_header Vary "Accept, Cookie";
      add_header Allow "POST, OPTIONS";
      add_header Set-Cookie "__cfduid=d0123456789abcdef0123456789abcdef01234567890; HttpOnly; path=/";
      add_header Cf-Ray 0123456789abcdef-WAW;
      return 201 '{{"id":89}}';
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Server:
    """Where a server is: what every contender is told by its environment."""

    base_url: str
    ca_file: str | None = None
    api_key: str = API_KEY

    def environment(self) -> dict[str, str]:
        """That of a contender."""
        told = {"UE_API_KEY": self.api_key, "UE_BASE_URL": self.base_url}
        return told if self.ca_file is None else {**told, "UE_CA_FILE": self.ca_file}


def pinned(cpu: int) -> list[str]:
    """What stands before a command to keep it on one CPU."""
    return ["taskset", "--cpu-list", str(cpu)]


@contextmanager
def nginx(cpu: int) -> Iterator[dict[str, Server]]:
    """Debian's nginx with one worker, in plain HTTP and over TLS, by the names of the schemes."""
    with tempfile.TemporaryDirectory() as directory:
        _certificates(directory)
        http, https = _free_ports(2)
        Path(directory, "nginx.conf").write_text(CONFIGURATION.format(http=http, https=https))
        command = [*pinned(cpu), "nginx", "-p", directory, "-c", "nginx.conf", "-e", "stderr"]
        with subprocess.Popen(command) as process:
            try:
                _wait_for(http, process)
                yield {
                    "http": Server(f"http://127.0.0.1:{http}/api/public/"),
                    "https": Server(f"https://127.0.0.1:{https}/api/public/", f"{directory}/ca.pem"),
                }
            finally:
                process.terminate()


@contextmanager
def sandbox(cpu: int, *arguments: str) -> Iterator[Server]:
    """The sandbox in plain HTTP."""
    command = [*pinned(cpu), SANDBOX, "--port", "0", "--json", "--until-stdin-closes", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        ready = json.loads(process.stdout.readline())
        yield Server(ready["base_url"], api_key=ready["api_key"])
        process.stdin.close()


def _certificates(directory: str) -> None:
    """Makes ca.pem, server.pem and server.key, on P-256."""
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    ca = [*new, "-subj", "/CN=bench CA", "-keyout", "ca.key", "-out", "ca.pem"]
    server = [*new, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.pem"]
    server += ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"]
    server += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    for command in (ca, server):
        subprocess.run(command, cwd=directory, check=True, stderr=subprocess.DEVNULL)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise RuntimeError("nginx does not start")
