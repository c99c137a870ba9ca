"""Sizes and tables as a terminal shows them."""

from collections.abc import Sequence

UNITS = ("B", "kB", "MB", "GB", "TB")


def size(count: int) -> str:
    """Bytes with three digits or so: `0 B`, `17.3 MB`."""
    value, unit = float(count), 0
    while value >= 999.5 and unit + 1 < len(UNITS):
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {UNITS[unit]}" if unit == 0 or value >= 99.95 else f"{value:.1f} {UNITS[unit]}"


def table(head: Sequence[str], lines: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """Lines under a head, in columns; right: numbers of the columns whose entries end in line."""
    widths = [max(len(row[i]) for row in (head, *lines)) for i in range(len(head))]

    def row(cells: Sequence[str]) -> str:
        places = zip(cells, widths, strict=True)
        return "  ".join(c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(places)).rstrip()

    return "\n".join(row(cells) for cells in (head, *lines))
