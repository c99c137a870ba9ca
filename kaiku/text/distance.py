"""Edit distance with a column of the table in one whole number: exact, and fast for texts of thousands of letters.

Myers 1999 (doi:10.1145/316542.316550) in the form of Hyyro 2003: bits say where the table rises or falls by one from
row to row, and a column follows from the one before by a few operations on whole numbers, however long.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence

LIBRARIES: tuple[str, ...] = ()


def edit_distance(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Fewest substitutions, insertions and deletions that turn one sequence into the other (Levenshtein)."""
    if not one or not other:
        return len(one) + len(other)
    places: dict[Hashable, int] = defaultdict(int)
    for row, value in enumerate(one):
        places[value] |= 1 << row
    everywhere, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    rises, falls, distance = everywhere, 0, len(one)
    for value in other:
        same = places.get(value, 0)
        level = (((same & rises) + rises) ^ rises) | same | falls
        more = falls | (everywhere & ~(level | rises))
        less = rises & level
        distance += bool(more & last) - bool(less & last)
        more = (more << 1) | 1
        falls = more & level & everywhere
        rises = ((less << 1) | (everywhere & ~(level | more))) & everywhere
    return distance
