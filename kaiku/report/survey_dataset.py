"""What a dataset's report is made of, collected from the workspace's artefacts, one shard in memory at a time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kaiku.progress import track
from kaiku.report.survey import TOLD, Survey, asked
from kaiku.selection import COLUMNS
from kaiku.settings import Settings
from kaiku.store import rows, scan

if TYPE_CHECKING:
    import pandas as pd

SELECTION = [name for name in COLUMNS if name != "text"]  # which is most of it


def survey(
    settings: Settings, dataset: str, selections: Sequence[Path], tables: Mapping[str, Iterable[Path]]
) -> dict[str, Any]:
    """The dataset as JSON values. tables: those its shards were decided by: of segment, transcribe, measure."""
    own = settings.datasets[dataset]
    found, fields = Survey(own), asked(own)
    of_shard = {stage: _by_shard(paths) for stage, paths in tables.items()}
    for path in track(selections, total=len(selections), label="survey", unit="shard"):
        corpus = path.parent.name
        frame = rows.read(path, columns=SELECTION).to_pandas()
        mine = {stage: paths[corpus, path.stem] for stage, paths in of_shard.items()}
        failures = [failure for stage, paths in mine.items() for table in paths for failure in _failures(stage, table)]
        found.add(corpus, frame, _facts(frame, fields, mine["measure"], mine["transcribe"]), failures)
    result = found.result()
    problems = [(corpus, problem) for corpus in own.corpora for problem in _problems(corpus)]
    listed = [{"corpus": c, "where": p.where, "what": p.what, "remedy": p.remedy} for c, p in problems[:TOLD]]
    return {"dataset": dataset, **result, "problems": {"count": len(problems), "items": listed}}


def _by_shard(paths: Iterable[Path]) -> dict[tuple[str, str], list[Path]]:
    found = defaultdict(list)
    for path in paths:
        found[path.parent.name, path.stem].append(path)
    return found


def _problems(corpus: str) -> list:
    return scan.read_problems(Path("data/manifests") / corpus)


def _failures(stage: str, path: Path) -> list[dict[str, str]]:
    import pyarrow.compute as pc

    table = rows.read(path, columns=["item", "status", "error"])
    failed = table.filter(pc.equal(table["status"], rows.STATUS_FAILED)).to_pylist()
    return [{"stage": stage, "item": row["item"], "error": row["error"] or ""} for row in failed]


def _facts(
    frame: "pd.DataFrame", fields: set[str], measures: Sequence[Path], transcripts: Sequence[Path]
) -> dict[str, np.ndarray]:
    """Values of the measures asked for, in the order of the frame, NaN where there is none."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    found = {}
    of_checks = sorted(fields - {"duration_s", "confidence"})
    if of_checks and measures:
        table = pa.concat_tables([rows.read(path, columns=["clip", "measure", "value"]) for path in measures])
        for name in of_checks:
            own = table.filter(pc.equal(table["measure"], name))
            values = pd.Series(own["value"].to_numpy(), index=own["clip"].to_pandas(), dtype=float)
            found[name] = values.reindex(frame["clip"]).to_numpy()
    if "confidence" in fields and transcripts:
        table = rows.read(transcripts[0], columns=["clip", "confidence"]).to_pandas().dropna(subset="clip")
        found["confidence"] = table.set_index("clip")["confidence"].reindex(frame["clip"]).to_numpy(dtype=float)
    return found
