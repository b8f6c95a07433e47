"""The figure: the CPU time that a message takes, by contender."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from html import escape
from typing import Any

from programs import CONTENDERS

WIDTH, HEAD, FOOT = 840, 92, 40
LANGUAGE, NAME, SCHEME, LEFT, RIGHT = 20, 190, 234, 242, 770  # across: where texts begin or end, and bars
BAR, ROW, GROUP = 11, 31, 12  # down: a bar, a contender, the gap before a language
INK, FAINT, LINE, PAPER = "#1f2328", "#59636e", "#d1d9e0", "#ffffff"
# Of user and of system time.
OURS, OTHERS = ("#0a62c2", "#86bdf4"), ("#6e7781", "#c3cad2")


def svg(figures: dict[str, Any]) -> str:
    """The file. It has a ground of its own, to be read on a dark page too."""
    schemes = {name: scheme["contenders"] for name, scheme in figures["turns"].items()}
    medians = [one["cpu_us"]["median"] for contenders in schemes.values() for one in contenders.values()]
    # Longer bars are cut: they would leave no room to tell the others apart.
    end = 1.04 * max(median for median in medians if median <= 5 * statistics.median(medians))
    body: list[str] = []
    top, language = HEAD - GROUP, None
    for contender in (one for one in CONTENDERS if not one.aside):
        if contender.language != language:
            language, top = contender.language, top + GROUP
            body.append(_text(LANGUAGE, top + 16, language, weight=600))
        body.append(_text(NAME, top + 16, contender.name, anchor="end", weight=600 if contender.ours else 400))
        for number, (scheme, contenders) in enumerate(schemes.items()):
            middle = top + number * (BAR + 1)
            body.append(_text(SCHEME, middle + 9, scheme, anchor="end", size=10, colour=FAINT))
            body += _bar(contenders[contender.key], middle, end, OURS if contender.ours else OTHERS)
        top += ROW
    return "\n".join([*_frame(top + FOOT), *_axis(end, top), *body, *_key(top + FOOT - 16, figures), "</svg>", ""])


def _frame(height: int) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" role="img">'
    )
    yield "<title>CPU time of one message, by contender</title>"
    yield f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6" fill="{PAPER}" stroke="{LINE}"/>'
    yield _text(LANGUAGE, 32, "CPU time of one message, in microseconds", size=17, weight=600)
    yield _text(
        LANGUAGE,
        53,
        "Of the client alone, on a kept connection to nginx. Shorter is better; the longest are cut.",
        colour=FAINT,
    )


def _axis(end: float, bottom: int) -> Iterator[str]:
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500) if end / step <= 8)
    for mark in range(0, int(end) + 1, step):
        x = _x(mark, end)
        yield f'<path d="M{x} {HEAD - 8}V{bottom}" stroke="{LINE}"/>'
        yield _text(x, HEAD - 13, str(mark), anchor="middle", size=11, colour=FAINT)


def _bar(one: dict[str, Any], top: int, end: float, colours: tuple[str, str]) -> Iterator[str]:
    """User time, then system time; the sum stands behind."""
    cpu = one["cpu_us"]["median"]
    user, right = _x(min(cpu * (1 - one["system_share"]), end), end), _x(min(cpu, end), end)
    for start, stop, colour in ((LEFT, user, colours[0]), (user, right, colours[1])):
        if stop > start:
            yield f'<rect x="{start}" y="{top}" width="{stop - start:.1f}" height="{BAR}" fill="{colour}"/>'
    if cpu > end:
        cut = RIGHT - 40
        yield f'<path d="M{cut} {top + BAR + 1}l6 {-BAR - 2}h5l-6 {BAR + 2}z" fill="{PAPER}"/>'
    yield _text(right + 6, top + 9, f"{cpu:.0f}" if cpu >= 100 else f"{cpu:.1f}", size=11)


def _key(top: int, figures: dict[str, Any]) -> Iterator[str]:
    """What the colours mean."""
    x = LANGUAGE
    for words, colours in (("userengage", OURS), ("others", OTHERS)):
        for part, colour in zip(("user", "system"), colours):
            yield f'<rect x="{x}" y="{top - 9}" width="11" height="11" fill="{colour}"/>'
            yield _text(x + 16, top, f"{words}, {part}", size=11, colour=FAINT)
            x += 150
    yield _text(RIGHT + 52, top, figures["date"], anchor="end", size=11, colour=FAINT)


def _x(microseconds: float, end: float) -> float:
    return round(LEFT + microseconds / end * (RIGHT - LEFT), 1)


def _text(
    x: float, y: float, words: str, *, anchor: str = "start", size: int = 13, weight: int = 400, colour: str = INK
) -> str:
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="{colour}" '
        f'stroke="{PAPER}" stroke-width="3" paint-order="stroke">{escape(words)}</text>'
    )
