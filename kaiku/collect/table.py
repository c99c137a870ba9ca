"""What became of each item that was to be collected: a table beside the corpus' manifests, in git with them."""

from dataclasses import dataclass
from pathlib import Path

from kaiku.errors import KaikuError
from kaiku.store import atomic

TABLE = "collected.tsv"
HEAD = ("source", "url", "id", "state", "reason", "licence", "duration_s", "sha256")


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
    """Sources of a list of which nothing was collected; 0 where the list cannot be read (collecting says why)."""
    from kaiku.collect import sources

    try:
        wanted = sources.read(listed)
    except KaikuError:
        return 0
    done = {row.source for row in read_table(table) if row.state in ("collected", "here")}
    return sum(source.url not in done for source in wanted)


def write_table(path: Path, rows: list[Row]) -> None:
    """Write what became of each item; the same rows for the same outcome, whether it is here since now or earlier."""
    lines = ["\t".join(HEAD)]
    for row in rows:
        state = "collected" if row.state == "here" else row.state
        cells = (row.source, row.url, row.id, state, row.reason, row.licence, row.duration_s, row.sha256)
        lines.append("\t".join(" ".join(cell.split()) for cell in cells))
    atomic.write_text_if_changed(path, "\n".join(lines) + "\n")


def read_table(path: Path) -> list[Row]:
    """The rows of a table; none where there is none."""
    lines = path.read_text(encoding="utf-8").split("\n")[1:] if path.exists() else []
    return [Row(*line.split("\t")) for line in lines if line]
