"""What the measurements are held against."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from typing import Any

import turns
from programs import CONNECTIONS, OURS, C, Contender, over
from servers import SCHEMES


def compare(contenders: Iterable[Contender], rounds: turns.Rounds) -> dict[str, dict[str, Any]]:
    """Of each of ours, the share of its CPU and time in those of each other of its language; and what it adds to C.

    Each number is the median of the rounds' own: a round's turns follow one another closely.
    """
    compared = {}
    contenders = list(contenders)
    for ours in (one for one in contenders if one.ours):
        peers = [one for one in contenders if one.language == ours.language and one != ours]
        compared[ours.key] = {
            "beside": {
                peer.name: {
                    "cpu": _ratios(turns.cpu(rounds[ours.key]), turns.cpu(rounds[peer.key])),
                    "wall": _ratios(turns.wall(rounds[ours.key]), turns.wall(rounds[peer.key])),
                }
                for peer in peers
            },
        }
        if ours.key != C and C in rounds:
            pairs = zip(turns.cpu(rounds[ours.key]), turns.cpu(rounds[C]))
            compared[ours.key]["more_cpu_than_c_us"] = turns.spread([mine - core for mine, core in pairs])
    return compared


def judge(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """Every target, what was measured, and whether it was met."""
    return [
        {"what": what, "measured": measured, bound: limit, "met": holds(measured, limit)}
        for what, measured, bound, limit in _targets(figures)
        for holds in [operator.le if bound == "at_most" else operator.ge]
    ]


def _targets(figures: dict[str, Any]) -> Iterator[tuple[str, float, str, float]]:
    for scheme in SCHEMES:
        beside = figures["turns"][scheme]["compared"]

        def share(language: str, peer: str, of: str = "cpu", beside: dict[str, Any] = beside) -> float:
            return beside[f"{language}: {OURS}"]["beside"][peer][of]["median"]

        tls = scheme == "https"
        yield f"{scheme}: C, share of libcurl's CPU", share("C", "libcurl"), "at_most", 0.7 if tls else 0.6
        yield f"{scheme}: C, share of libcurl's time", share("C", "libcurl", "wall"), "at_most", 1
        yield f"{scheme}: C, share of a bare socket's CPU", share("C", "bare socket"), "at_most", 2.2
        yield f"{scheme}: Python, share of pycurl's CPU", share("Python", "pycurl"), "at_most", 0.6
        yield f"{scheme}: Python, share of requests' CPU", share("Python", "requests"), "at_most", round(1 / 15, 4)
        added = beside[f"Python: {OURS}"]["more_cpu_than_c_us"]["median"]
        yield f"{scheme}: Python, CPU more than from C, us", added, "at_most", 15
        yield f"{scheme}: PHP, share of ext-curl's CPU", share("PHP", "ext-curl"), "at_most", 0.8
        instructions = figures["instructions"][scheme][C]
        yield f"{scheme}: instructions of a message", instructions, "at_most", 46_000 if tls else 40_000
        calls = figures["system_calls"][scheme][C]
        writes = sum(calls.get(name, 0) for name in ("write", "writev", "sendto", "sendmsg"))
        yield f"{scheme}: system calls of a message", round(sum(calls.values()), 2), "at_most", 4
        yield f"{scheme}: of these, writes", writes, "at_most", 1

    start = figures["start"]
    yield "the library is loaded, us", start["load_us"], "at_most", 3000
    yield "a client is made, us", start["client_us"], "at_most", 1000
    yield "memory after a message over TLS, MiB", round(start["resident_kib"] / 1024, 2), "at_most", 4
    yield "the library, MiB", round(start["library_bytes"] / (1 << 20), 2), "at_most", 1.8

    for connections in CONNECTIONS:
        for scheme in SCHEMES:
            for program in ("queue", "batch"):
                beside = beside_multi(figures["at_once"], connections, scheme, program)
                what = f"{scheme}: {program} over {connections}, share of libcurl's multi interface's"
                yield f"{what} CPU", beside["cpu"]["median"], "at_most", 0.8
                yield f"{what} time", beside["wall"]["median"], "at_most", 1
    for kind, cpu in figures["push_us"].items():
        yield f"a push, {kind}, us of CPU", cpu["median"], "at_most", 2
    for state, ways in figures["cancel_ms"].items():
        yield f"cancelled in {state}: the longest, ms", max(way["most"] for way in ways.values()), "at_most", 5

    many = figures["many"]
    late, limited = many["late"], many["limited"]
    yield "50 ms late: share of 64 / 0.05 s", round(late["messages_per_second"] / (64 / 0.05), 4), "at_least", 0.95
    yield "50 ms late: share of a core", late["share_of_a_core"], "at_most", 0.15
    yield "50 ms late: peak memory, MiB", round(late["peak_kib"] / 1024, 2), "at_most", 24
    yield "50 a second: share used", round(limited["messages_per_second"] / 50, 4), "at_least", 0.97
    refused = (limited["requests"] - limited["delivered"]) / limited["requests"]
    yield "50 a second: share of requests refused", round(refused, 4), "at_most", 0.01
    few, *_, most = many["growth"]
    growth = round(most["cpu_us_per_message"] / few["cpu_us_per_message"], 3)
    yield f"CPU of a message of {most['messages']:,}, share of that of {few['messages']:,}", growth, "at_most", 1.2


def beside_multi(at_once: dict[str, Any], connections: int, scheme: str, program: str) -> dict[str, Any]:
    """The shares of CPU and time of one of ours in those of libcurl's multi interface."""
    ours, multi = over(connections, program), over(connections, "multi")
    return at_once[str(connections)][scheme]["compared"][ours.key]["beside"][multi.name]


def _ratios(ours: list[float], theirs: list[float]) -> dict[str, float]:
    return turns.spread([mine / other for mine, other in zip(ours, theirs)])
