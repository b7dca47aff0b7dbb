"""Charts as SVG text in the colours of the page: 440 by 200, an axis on the left and one below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BELOW = 440, 200, 44, 8, 8, 30
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BELOW
TOP_QUALITY = 42


def quality(told: Mapping[str, Any]) -> str:
    """Medians with bands of 25 to 75 and 10 to 90 per cent, over zones of good, fair and poor."""
    rows, positions = told["quality_by_position"], told["positions"]
    if not rows:
        return _empty()
    top = max(TOP_QUALITY, *(row[4] for row in rows))
    xs = [_across(index, len(rows)) for index in range(len(rows))]

    def up(value: float) -> float:
        return TOP + PLOT_HEIGHT * (1 - value / top)

    zones = "".join(f'<rect x="{LEFT}" y="{up(high):.1f}" width="{PLOT_WIDTH}" height="{up(low) - up(high):.1f}" '
                    f'fill="var(--{name})"/>' for low, high, name in ((0, 20, "poor"), (20, 28, "fair"), (28, top, "good")))
    bands = "".join(_band(xs, [up(row[low]) for row in rows], [up(row[high]) for row in rows], opacity)
                    for low, high, opacity in ((0, 4, 0.18), (1, 3, 0.3)))
    median = _path(zip(xs, (up(row[2]) for row in rows), strict=True), "--after", 2)
    ticks = "".join(_left(up(value), str(value)) for value in range(0, int(top) + 1, 10))
    worst = min(row[2] for row in rows)
    return _svg(f"Median quality from {rows[0][2]} at base 1 to {rows[-1][2]} at base {positions[-1]}, lowest {worst}",
                zones + bands + median + ticks + _below(positions, "base"))


def lines(told: Mapping[str, Any]) -> str:
    """The share of each base at each position."""
    rows, positions = told["letters_by_position"], told["positions"]
    if not rows:
        return _empty()
    shares = [[count / max(1, sum(row)) for count in row] for row in rows]
    top = max(0.5, *(max(row) for row in shares))
    drawn = []
    for column, letter in enumerate(told["letters"]):
        points = ((_across(index, len(rows)), TOP + PLOT_HEIGHT * (1 - row[column] / top)) for index, row in enumerate(shares))
        drawn.append(_path(points, f"--{letter.lower()}", 1.6))
    key = "".join(f'<text x="{LEFT + 8 + 20 * column}" y="{TOP + 14}" style="fill:var(--{letter.lower()});font-weight:700">'
                  f"{letter}</text>" for column, letter in enumerate(told["letters"]))
    ticks = "".join(_left(TOP + PLOT_HEIGHT * (1 - part / top), f"{part:.0%}") for part in (0, 0.25, 0.5, 0.75, 1) if part <= top)
    return _svg("Share of A, C, G, T and N at each base", "".join(drawn) + key + ticks + _below(positions, "base"))


def bars(before: Sequence[int] | Mapping[int, int], after: Sequence[int] | Mapping[int, int], unit: str) -> str:
    """Two distributions over the same values; the second stands in front."""
    first, second = (dict(one) if isinstance(one, Mapping) else dict(enumerate(one)) for one in (before, after))
    there = sorted(value for value in {*first, *second} if first.get(value) or second.get(value))
    if not there:
        return _empty()
    step = min((right - left for left, right in pairwise(there)), default=1)
    values = list(range(there[0], there[-1] + 1, step))
    most = max(max(first.values()), max(second.values(), default=0))
    slot = PLOT_WIDTH / len(values)
    drawn = []
    for counts, colour, part in ((first, "--before", 0.9), (second, "--after", 0.5)):
        for index, value in enumerate(values):
            if count := counts.get(value, 0):
                high = PLOT_HEIGHT * count / most
                drawn.append(f'<rect x="{LEFT + slot * (index + (1 - part) / 2):.1f}" y="{TOP + PLOT_HEIGHT - high:.1f}" '
                             f'width="{slot * part:.2f}" height="{high:.1f}" fill="var({colour})">'
                             f"<title>{value} {unit}: {count:,}</title></rect>")
    ticks = _left(TOP + 4, _short(most)) + _left(TOP + PLOT_HEIGHT, "0")
    peak = max(first, key=lambda value: first[value])
    return _svg(f"Most reads before at {peak} {unit}", "".join(drawn) + ticks + _below(values, unit))


def _across(index: int, count: int) -> float:
    return LEFT + PLOT_WIDTH * (index / (count - 1) if count > 1 else 0.5)


def _path(points: Iterable[tuple[float, float]], colour: str, width: float) -> str:
    data = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{data}" fill="none" stroke="var({colour})" stroke-width="{width}" stroke-linejoin="round"/>'


def _band(xs: list[float], low: list[float], high: list[float], opacity: float) -> str:
    points = [*zip(xs, high, strict=True), *zip(reversed(xs), reversed(low), strict=True)]
    data = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{data}" fill="var(--after)" opacity="{opacity}"/>'


def _left(y: float, text: str) -> str:
    return (f'<line x1="{LEFT - 4}" x2="{LEFT}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--rule)"/>'
            f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')


def _below(values: Sequence[int], unit: str) -> str:
    """A line with the first value, the last and some between."""
    base = TOP + PLOT_HEIGHT
    wanted = sorted({round(part * (len(values) - 1) / 4) for part in range(5)})
    texts = "".join(f'<text x="{_across(index, len(values)):.1f}" y="{base + 14}" '
                    f'text-anchor="{"end" if index and index == len(values) - 1 else "middle"}">{values[index]:,}</text>'
                    for index in wanted)
    return (f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}" stroke="var(--rule)"/>{texts}'
            f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 3}" text-anchor="end">{unit}</text>')


def _short(count: int) -> str:
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.3g} {letter}"
    return str(count)


def _svg(label: str, inside: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{inside}</svg>'


def _empty() -> str:
    return _svg("No reads", f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">No reads</text>')
