"""What the READMEs say of the figures: a text for each of their blocks."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, Callable

from programs import CONNECTIONS, CONTENDERS, OURS, C, over
from servers import SCHEMES
from targets import beside_multi

Figures = dict[str, Any]

# How a peer is named in a sentence, by language and name.
PEERS = {
    ("C", "libcurl"): "libcurl's easy interface",
    ("C", "bare socket"): "a bare socket",
    ("Rust", "ureq"): "ureq",
    ("Rust", "reqwest"): "reqwest's blocking client",
    ("Python", "pycurl"): "pycurl",
    ("Python", "http.client"): "http.client",
    ("Python", "httpx"): "httpx",
    ("Python", "requests"): "requests",
    ("PHP", "ext-curl"): "ext-curl",
}

# The programs that send many at once with the library.
AT_ONCE = "queue", "batch"

# What a message that is cancelled was waiting for, by state.
STATES = {
    "dns": "DNS",
    "connect": "connect",
    "handshake": "TLS handshake",
    "write": "write",
    "read": "read",
    "turn": "rate limit",
    "retry": "backoff",
    "queue": "queue",
}


def costs(figures: Figures) -> str:
    """The main README: shares of what others need, and what else is asked of a library."""
    compared = {scheme: figures["turns"][scheme]["compared"] for scheme in SCHEMES}
    rows = []
    for (language, peer), words in PEERS.items():
        beside = [compared[scheme][f"{language}: {OURS}"]["beside"][peer] for scheme in SCHEMES]
        rows.append([language, words, *_shares(beside)])
    for program in AT_ONCE:
        for connections in CONNECTIONS:
            beside = [beside_multi(figures["at_once"], connections, scheme, program) for scheme in SCHEMES]
            rows.append(
                [f"C, a {program} over {connections} connections", "libcurl's multi interface", *_shares(beside)]
            )
    many = figures["many"]
    items = (
        _work(figures),
        _at_once(figures),
        _push(figures["push_us"]),
        _cancel(figures["cancel_ms"], figures["cancels_of_each_state"]),
        _start(figures),
        _late(many["late"]),
        _limited(many["limited"], many["limited_untold"]),
        _growth(many),
    )
    parts = (
        "![CPU time of one message, by contender](tests/bench/figures.svg)",
        _wrapped(
            "A message on a kept connection to nginx, beside what others need for one in the same round: user and"
            " system time of the client's process, and time that passes. In C the others' body is made once. In the"
            " last rows many are under way at once, and libcurl has as many handles as there are connections."
        ),
        _table(["from", "as a share of", "CPU, http", "CPU, https", "time, http", "time, https"], rows),
        "\n".join(_wrapped(f"- {item}", "  ") for item in items),
        _wrapped(_circumstances(figures)),
    )
    return "\n\n".join(parts)


def roots(figures: Figures) -> str:
    """The main README, of the roots that are built in: what a client costs with Debian's."""
    start = figures["start"]
    return f"{start['client_with_debians_store_us'] / 1000:.1f} ms instead of {start['client_us'] / 1000:.2f}"


def python(figures: Figures) -> str:
    """The Python package's README."""
    versions = figures["versions"]
    named = ", ".join(f"{name} {versions[name]}" for name in ("Python", "cffi", "pycurl", "httpx", "requests"))
    return f"{_beside_c(figures, 'Python')}\n\n{_wrapped(f'{_measured(figures)} {named}.')}"


def php(figures: Figures) -> str:
    """The PHP package's README: a message on a kept connection."""
    versions = figures["versions"]
    where = f"{_measured(figures)} PHP {versions['PHP']}, ext-curl with libcurl {versions['libcurl of ext-curl']}."
    return f"{_beside_c(figures, 'PHP')}\n\n{_wrapped(where)}"


def php_pages(figures: Figures) -> str:
    """The PHP package's README: the first message of a page."""
    first = figures["first_message_of_a_page_ms"]
    rows = [[name, *(f"{first[scheme][name]:.2f} ms" for scheme in SCHEMES)] for name in first["http"]]
    return _table(["the first message of a php-fpm request", *SCHEMES], rows)


BLOCKS: dict[str, dict[str, Callable[[Figures], str]]] = {
    "README.md": {"costs": costs, "roots": roots},
    "bindings/python/README.md": {"python": python},
    "bindings/php/README.md": {"php": php, "php-pages": php_pages},
}


def _beside_c(figures: Figures, language: str) -> str:
    """The contenders of a language, and what they need more of CPU than the library does from C."""
    schemes = [figures["turns"][scheme]["contenders"] for scheme in SCHEMES]
    core = [contenders[C]["cpu_us"]["median"] for contenders in schemes]
    rows = [["the library, from C", f"{core[0]:.1f}", "", f"{core[1]:.1f}", ""]]
    for contender in (one for one in CONTENDERS if one.language == language):
        cells = []
        for contenders, least in zip(schemes, core):
            cpu = contenders[contender.key]["cpu_us"]["median"]
            cells += [f"{cpu:.1f}", f"{round(cpu - least, 1) + 0:.1f}"]
        rows.append([contender.name, *cells])
    return _table(["microseconds of CPU a message", "http", "more than from C", "https", "more than from C"], rows)


def _shares(beside: Sequence[Figures]) -> list[str]:
    """The cells of a table: of CPU, then of time."""
    return [f"{one[of]['median']:.2f}" for of in ("cpu", "wall") for one in beside]


def _work(figures: Figures) -> str:
    instructions, calls = figures["instructions"], figures["system_calls"]["http"]

    def both(contender: str) -> str:
        return " and ".join(f"{instructions[scheme][contender]:,}" for scheme in SCHEMES)

    ours, curls = (round(sum(calls[contender].values())) for contender in (C, "C: libcurl"))
    return (
        f"Instructions in user space a message, plain and over TLS: {both(C)}; libcurl {both('C: libcurl')}, ureq"
        f" {both('Rust: ureq')}. System calls: {ours}; libcurl {curls}."
    )


def _at_once(figures: Figures) -> str:
    connections = CONNECTIONS[-1]
    contenders = figures["at_once"][str(connections)]["http"]["contenders"]

    def words(program: str) -> str:
        one = contenders[over(connections, program).key]
        cpu, wall = (one[of]["median"] for of in ("cpu_us", "wall_us"))
        return f"{1e6 / wall:,.0f} messages a second, {cpu:.1f} us of CPU each"

    text = (
        f"A queue over {connections} connections, plain: {words('queue')}; libcurl's multi interface: {words('multi')}."
    )
    if "at_once_apart" in figures:
        cpu, wall = _shares([beside_multi(figures["at_once_apart"], connections, "http", "queue")])
        text += f" With the server on a CPU of its own it takes {cpu} of libcurl's CPU and {wall} of its time."
    return text


def _push(push: Figures) -> str:
    burst, alone = (push[kind]["median"] for kind in ("burst", "alone"))
    return (
        f"To push a message into a queue that has others takes {burst:.1f} us of CPU of the thread that pushes,"
        f" {alone:.1f} where that wakes the queue's thread up."
    )


def _cancel(cancel: Figures, times: int) -> str:
    ways = [(state, way) for state, ways in cancel.items() for way in ways.values()]
    state, longest = max(ways, key=lambda one: one[1]["most"])
    median = max(way["median"] for _, way in ways)
    named = ", ".join(STATES[name] for name in cancel)
    return (
        f"A message in a queue that is cancelled ends within {longest['most']:.1f} ms, the longest of {times} times in"
        f" each state and way to cancel ({STATES[state]}; no median is above {median:.2f} ms): {named}."
    )


def _start(figures: Figures) -> str:
    start = figures["start"]
    size, memory = start["library_bytes"] / (1 << 20), start["resident_kib"] / 1024
    load, client = start["load_us"] / 1000, start["client_us"] / 1000
    return (
        f"The library has {size:.1f} MiB, loads in {load:.1f} ms and makes a client in {client:.2f} ms; with a first"
        f" message over TLS it takes up {memory:.1f} MiB of memory."
    )


def _late(late: Figures) -> str:
    connections, answer = late["connections"], late["answer_ms"]
    return (
        f"Many at once, over {connections} connections to a server that answers after {answer:.0f} ms:"
        f" {late['messages_per_second']:,.0f} messages a second of {connections / answer * 1000:,.0f} that are"
        f" possible, on {late['share_of_a_core']:.0%} of a core, in {late['peak_kib'] / 1024:.0f} MiB of memory."
    )


def _growth(many: Figures) -> str:
    few, *_, most = many["growth"]
    bare = many["without_results"]["beyond_arrays_kib"]
    each = (most["beyond_arrays_kib"] - bare) * 1024 / most["messages"]
    return (
        f"{most['messages']:,} in one call take {most['cpu_us_per_message']:.1f} us of CPU each, {few['messages']:,}"
        f" take {few['cpu_us_per_message']:.1f}. Beside the caller's arrays they need {bare / 1024:.0f} MiB of memory,"
        f" and {each:.0f} bytes for each result that is asked for."
    )


def _limited(told: Figures, untold: Figures) -> str:
    def words(batch: Figures) -> str:
        refused = (batch["requests"] - batch["delivered"]) / batch["requests"]
        return f"{batch['messages_per_second']:.1f} a second, {refused:.1%} of requests refused"

    return f"A server that allows 50 a second, with `max_per_second`: {words(told)}. Without: {words(untold)}."


def _circumstances(figures: Figures) -> str:
    version, turns, apart = figures["versions"], figures["turns"], figures.get("turns_apart")
    names = ("Rust", "nginx", "libcurl", "OpenSSL", "ureq", "reqwest")
    text = f"{_measured(figures)} {', '.join(f'{name} {version[name]}' for name in names)}."
    if apart:
        one, two = (where["http"]["contenders"][C]["cpu_us"]["median"] for where in (turns, apart))
        share = apart["http"]["compared"][C]["beside"]["libcurl"]["cpu"]["median"]
        text += (
            " Server and client share a CPU. On two virtual ones each message wakes the other up: from C it then takes"
            f" {two:.0f} us instead of {one:.0f}, {share:.2f} of libcurl's."
        )
    return f"{text} [`figures.json`](tests/bench/figures.json) has it all."


def _measured(figures: Figures) -> str:
    """When, where and how."""
    machine = figures["machine"]
    return (
        f"Measured on {figures['date']} by `make bench`, medians of {figures['rounds']} rounds in turns, on"
        f" {machine['processor']}{' (a virtual machine)' if machine['virtual'] else ''}, {machine['cores']} cores,"
        f" {machine['system']}, Linux {machine['kernel']};"
    )


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
