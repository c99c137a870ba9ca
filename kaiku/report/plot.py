"""Line plots as inline SVG: crisp at any size, coloured by the page's own style."""

import math
from collections.abc import Callable, Sequence
from html import escape

from kaiku.report.data import Curve, Plot

WIDTH, HEIGHT = 520, 300
RIGHT, TOP, BOTTOM = 14, 34, 42  # margins for the labels; the left one fits the longest number
DIGIT = 7.5  # width of a digit
MAX_POINTS = 240  # of one line: more would be finer than the screen


def line_plot(plot: Plot) -> str:
    """A plot as one <svg>: lines `line-0`, `line-1`, ... by the order of the curves, axes, grid, chosen x."""
    curves = [curve["points"] for curve in plot["curves"] if curve["points"]]
    if not curves:
        return ""
    xs = [x for points in curves for x, _ in points]
    lines = [thinned(points) for points in curves]
    ys = [y for points in lines for _, y in points]
    x_ticks, y_ticks = ticks(min(xs), max(xs)), ticks(min(ys), max(ys))
    left = 14 + DIGIT * max(len(_number(y, y_ticks)) for y in y_ticks)
    to_x = _scale(min(xs), max(xs), left, WIDTH - RIGHT)
    to_y = _scale(y_ticks[0], y_ticks[-1], HEIGHT - BOTTOM, TOP)
    parts = [_y_tick(left, to_y(y), _number(y, y_ticks)) for y in y_ticks]
    parts += [_x_tick(to_x(x), _number(x, x_ticks)) for x in x_ticks if min(xs) <= x <= max(xs)]
    parts.append(_text(WIDTH - RIGHT, HEIGHT - 6, plot["x_label"], "axis", "end"))
    parts.append(_text(4, 16, plot["y_label"], "axis", "start"))
    if plot.get("best") is not None:
        parts += _best_mark(to_x(plot["best"]))
    parts += [_line(i, [(to_x(x), to_y(y)) for x, y in points]) for i, points in enumerate(lines)]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(describe(plot), quote=True)}">'
        + "".join(parts)
        + "</svg>"
    )


def describe(plot: Plot) -> str:
    """The plot in words, for those who cannot see it: where each line begins, ends and is lowest."""
    lines = [_describe_curve(curve) for curve in plot["curves"] if curve["points"]]
    return f"{plot['title']}, {plot['y_label']} by {plot['x_label']}. " + " ".join(lines)


def thinned(points: Sequence[Sequence[float]], most: int = MAX_POINTS) -> list[tuple[float, float]]:
    """At most about `most` points: means of equally many neighbours each."""
    size = math.ceil(len(points) / most)
    groups = [points[start : start + size] for start in range(0, len(points), size)] if points else []
    return [tuple(math.fsum(values) / len(group) for values in zip(*group)) for group in groups]


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) from at or below `low` to at or above `high`."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / about))
    step = min((factor * power for factor in (1, 2, 5, 10)), key=lambda s: abs(span / s - about))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [n * step for n in range(first, max(last, first + 1) + 1)]


def _describe_curve(curve: Curve) -> str:
    values = [y for _, y in curve["points"]]
    return f"{curve['name']}: from {values[0]:.3g} to {values[-1]:.3g}, lowest {min(values):.3g}."


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def _line(index: int, points: Sequence[tuple[float, float]]) -> str:
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in points) if len(points) <= 40 else ""
    return f'<g class="line-{index}"><path d="{path}"/>{dots}</g>'


def _best_mark(x: float) -> list[str]:
    side, shift = ("end", -5) if x > WIDTH / 2 else ("start", 5)
    mark = f'<path class="best" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
    return [mark, _text(x + shift, TOP + 10, "chosen", "axis", side)]


def _y_tick(left: float, y: float, number: str) -> str:
    return f'<path class="grid" d="M{left:.1f} {y:.1f}H{WIDTH - RIGHT}"/>' + _text(
        left - 7, y + 4, number, "tick", "end"
    )


def _x_tick(x: float, number: str) -> str:
    mark = f'<path class="grid" d="M{x:.1f} {HEIGHT - BOTTOM}v5"/>'
    return mark + _text(x, HEIGHT - BOTTOM + 18, number, "tick", "middle")


def _number(value: float, all_ticks: Sequence[float]) -> str:
    digits = max(0, -math.floor(math.log10(all_ticks[1] - all_ticks[0]) + 1e-9))
    return f"{value:.{digits}f}"


def _text(x: float, y: float, text: str, kind: str, anchor: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
