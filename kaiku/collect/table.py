"""What became of each item that was to be collected: a table beside the corpus' manifests, in git with them."""

from dataclasses import dataclass
from pathlib import Path

from kaiku.errors import KaikuError
from kaiku.store import manifests

TABLE = "collected.tsv"
HEAD = ("source", "url", "id", "state", "reason", "licence", "duration_s", "sha256")
_MEND = "`make collect` writes it anew, from what lies in the corpus' folder."


@dataclass(frozen=True)
class Row:
    """What became of an item. state: collected, here (since an earlier call), refused or failed, with its reason."""

    source: str
    url: str
    id: str = ""
    state: str = "collected"
    reason: str = ""
    licence: str = ""
    duration_s: str = ""
    sha256: str = ""


def waiting(listed: Path, table: Path) -> int:
    """Sources of a list of which nothing was collected; 0 where the list cannot be read (collecting says why).

    Raises CorruptFile where the table cannot be read.
    """
    from kaiku.collect import sources

    try:
        wanted = sources.read(listed)
    except KaikuError:
        return 0
    done = {row.source for row in read_table(table) if row.state in ("collected", "here")}
    return sum(source.url not in done for source in wanted)


def write_table(path: Path, rows: list[Row]) -> None:
    """Write what became of each item; the same rows for the same outcome, whether it is here since now or earlier."""
    lines = []
    for row in rows:
        state = "collected" if row.state == "here" else row.state
        cells = (row.source, row.url, row.id, state, row.reason, row.licence, row.duration_s, row.sha256)
        lines.append([" ".join(cell.split()) for cell in cells])
    manifests.write_table(path, HEAD, lines)


def read_table(path: Path) -> list[Row]:
    """The rows of a table; none where there is none. Raises CorruptFile, with the line that is none."""
    return manifests.read_table(path, HEAD, Row, remedy=_MEND) if path.exists() else []
