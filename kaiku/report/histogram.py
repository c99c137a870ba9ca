"""Histograms as inline SVG: kept and dropped clips over a measure, and the bounds that divide them."""

from collections.abc import Sequence
from html import escape
from typing import Any

from kaiku.report.plot import ticks

WIDTH, HEIGHT = 520, 190
LEFT, RIGHT, TOP, BOTTOM = 8, 8, 26, 34


def histogram(name: str, measure: dict[str, Any]) -> str:
    """One <svg>; measure: edges, clips kept and dropped in each bin, bounds ({where, language, min, max})."""
    if "edges" not in measure:
        return ""
    edges, kept, dropped = measure["edges"], measure["kept"], measure["dropped"]
    most = max(k + d for k, d in zip(kept, dropped)) or 1
    to_x, height = _scale(edges), HEIGHT - TOP - BOTTOM
    parts = []
    for low, high, k, d in zip(edges, edges[1:], kept, dropped):
        x, width = to_x(low), max(to_x(high) - to_x(low) - 1, 0.5)
        for kind, below, count in (("kept", 0, k), ("dropped", k, d)):
            if count:
                tall = height * count / most
                y = HEIGHT - BOTTOM - height * below / most - tall
                parts.append(f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{tall:.1f}"/>')
    parts += [_tick(to_x(x), f"{x:.6g}") for x in ticks(edges[0], edges[-1]) if edges[0] <= x <= edges[-1]]
    parts += _marks(measure["bounds"], to_x)
    axis = f'<path class="grid" d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>'
    words = escape(_describe(name, measure), quote=True)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">{axis}{"".join(parts)}</svg>'


def _describe(name: str, measure: dict[str, Any]) -> str:
    edges = measure["edges"]
    return (
        f"{name}: {sum(measure['kept'])} clips kept, {sum(measure['dropped'])} dropped, "
        f"most of them from {edges[0]:.3g} to {edges[-1]:.3g}."
    )


def _scale(edges: Sequence[float]):
    span = edges[-1] - edges[0]
    return lambda value: LEFT + (value - edges[0]) / span * (WIDTH - LEFT - RIGHT)


def _marks(bounds: Sequence[dict[str, Any]], to_x) -> list[str]:
    """A line for each bound within the picture."""
    found: dict[float, str] = {}
    for bound in bounds:
        for side in ("min", "max"):
            if bound[side] is not None and LEFT <= to_x(bound[side]) <= WIDTH - RIGHT:
                found.setdefault(bound[side], f"{bound['language']} {side} {bound[side]:g}".strip())
    parts = []
    for number, (value, words) in enumerate(sorted(found.items())):
        x = to_x(value)
        anchor, shift = ("end", -4) if x > WIDTH / 2 else ("start", 4)
        parts.append(f'<path class="best" d="M{x:.1f} {TOP - 8}V{HEIGHT - BOTTOM}"/>')
        parts.append(
            f'<text x="{x + shift:.1f}" y="{12 + 11 * (number % 2)}" text-anchor="{anchor}">{escape(words)}</text>'
        )
    return parts


def _tick(x: float, number: str) -> str:
    y = HEIGHT - BOTTOM
    return f'<path class="grid" d="M{x:.1f} {y}v5"/><text x="{x:.1f}" y="{y + 19}" text-anchor="middle">{number}</text>'
