"""What one program costs by itself: instructions, system calls, memory, its start."""

from __future__ import annotations

import re
import statistics
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from programs import LIBRARY, TARGET, Contender
from servers import Server, pinned
from turns import environment, spread

# What a message costs is what many cost more than few.
FEW, MANY = 100, 600


def instructions(contender: Contender, server: Server) -> int:
    """Those in user space that one more message over a kept connection costs."""

    def total(messages: int) -> int:
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *contender.command]
        done = _send(command, messages, server)
        return int(re.search(r"Collected : (\d+)", done.stderr).group(1))

    return round((total(MANY) - total(FEW)) / (MANY - FEW))


def system_calls(contender: Contender, server: Server) -> dict[str, float]:
    """How many of each one more message over a kept connection makes."""

    def total(messages: int) -> Counter[str]:
        with tempfile.TemporaryDirectory() as directory:
            output = Path(directory, "calls")
            _send(["strace", "-f", "-qq", "-c", "-U", "name,calls", "-o", output, *contender.command], messages, server)
            rows = (line.split() for line in output.read_text().splitlines())
            return Counter({row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()})

    few, many = total(FEW), total(MANY)
    each = {name: round((many[name] - few[name]) / (MANY - FEW), 2) for name in sorted(many) if name != "total"}
    return {name: calls for name, calls in each.items() if calls > 0}


def start(server: Server, times: int, cpu: int) -> dict[str, float]:
    """What it costs to begin, the median of so many processes; and the size of the library."""
    rows = []
    for _ in range(times):
        command = [*pinned(cpu), TARGET / "start"]
        done = subprocess.run(command, env=environment(server), check=True, capture_output=True, text=True)
        rows.append([float(number) for number in done.stdout.split()])
    load, client, client_of_store, resident = (round(statistics.median(column), 1) for column in zip(*rows))
    return {
        "load_us": load,
        "client_us": client,
        "client_with_debians_store_us": client_of_store,
        "resident_kib": resident,
        "library_bytes": LIBRARY.stat().st_size,
    }


def push(server: Server, rounds: int, burst: int, alone: int, cpu: int) -> dict[str, dict[str, float]]:
    """Microseconds of CPU of the thread that pushes, a push: of a burst, and of those that find the queue at rest."""
    command = [*pinned(cpu), TARGET / "push", str(rounds), str(burst), str(alone)]
    done = subprocess.run(command, env=environment(server), check=True, stdout=subprocess.PIPE, text=True)
    rows = (line.split() for line in done.stdout.splitlines())
    return {name: spread([float(number) for number in numbers]) for name, *numbers in rows}


def cancel(times: int, cpu: int) -> dict[str, dict[str, dict[str, float]]]:
    """Milliseconds from a cancel to the result, by the state that it ends, and what it was cancelled with."""
    command = [*pinned(cpu), TARGET / "cancel", str(times)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    taken: dict[str, dict[str, dict[str, float]]] = {}
    for state, way, *numbers in (line.split() for line in done.stdout.splitlines()):
        taken.setdefault(state, {})[way] = spread([int(number) / 1000 for number in numbers])
    return taken


def _send(command: list[str | Path], messages: int, server: Server) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, input=f"{messages}\n", env=environment(server), check=True, capture_output=True, text=True
    )
