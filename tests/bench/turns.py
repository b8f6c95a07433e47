"""Contenders take turns at sending, so that a busy machine is fair to all."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from programs import LIBRARY, ROOT, Contender
from servers import Server, pinned

Rounds = dict[str, list[tuple[float, float, float]]]


def environment(server: Server) -> dict[str, str]:
    """What a contender is told; of the caller's own nothing, which may name proxies and authorities."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "bindings" / "python" / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "USERENGAGE_LIBRARY": str(LIBRARY),
        **server.environment(),
    }


def take_turns(contenders: Iterable[Contender], server: Server, rounds: int, messages: int, cpu: int) -> Rounds:
    """What each contender took in each round, in microseconds a message: user, system, wall.

    A round is a turn of each, in an order drawn anew. One round before the first warms up.
    """
    taken: Rounds = {}
    with ExitStack() as stack:
        processes = {}
        for contender in contenders:
            command = [*pinned(cpu), *contender.command]
            process = subprocess.Popen(
                command, env=environment(server), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            processes[contender.key] = stack.enter_context(process)
            stack.callback(process.stdin.close)
            taken[contender.key] = []
        dice = random.Random(0)
        for number in range(rounds + 1):
            for key in dice.sample(list(processes), len(processes)):
                turn = _turn(key, processes[key], messages)
                if number > 0:
                    taken[key].append(turn)
    return taken


def _turn(key: str, process: subprocess.Popen[str], messages: int) -> tuple[float, float, float]:
    process.stdin.write(f"{messages}\n")
    process.stdin.flush()
    answer = process.stdout.readline().split()
    if len(answer) != 3:
        raise RuntimeError(f"{key} ended")
    user, system, wall = (int(number) / messages for number in answer)
    return user, system, wall


def cpu(turns: Iterable[tuple[float, float, float]]) -> list[float]:
    """The CPU time of each turn."""
    return [user + system for user, system, _ in turns]


def wall(turns: Iterable[tuple[float, float, float]]) -> list[float]:
    """The time of each turn."""
    return [wall for _, _, wall in turns]


def spread(values: list[float]) -> dict[str, float]:
    """The median of values, and how far they lie apart."""
    low, median, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    numbers = {"median": median, "least": min(values), "low": low, "high": high, "most": max(values)}
    return {name: round(number, 3) for name, number in numbers.items()}


def summary(rounds: Rounds) -> dict[str, Any]:
    """What of each contender is written down."""
    return {
        key: {
            "cpu_us": spread(cpu(turns)),
            # The kernel samples which of both it was at its ticks: over all rounds alone that says something.
            "system_share": round(sum(system for _, system, _ in turns) / (sum(cpu(turns)) or 1), 3),
            "wall_us": spread(wall(turns)),
        }
        for key, turns in rounds.items()
    }
