"""As LJ Speech has it, which XTTS and most trainers of voices read: `wavs/` and `metadata.csv` (`id|raw|normalised`).

Beside it stand metadata_train.csv and metadata_val.csv (and metadata_test.csv) with the dataset's own split, and
duration.json, seconds by id. A dataset that holds nothing out is divided by recording; clips derived from a held-out
recording are then left out of both. The tables have no quoting: a bar or line break in a text becomes a space.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from kaiku.exports import About, ExportClip
from kaiku.exports._audio import write_wav
from kaiku.exports._held_out import held_out
from kaiku.exports._tables import field, lines
from kaiku.progress import log
from kaiku.strict import Strict

LIBRARIES: tuple[str, ...] = ()
NEEDS_TEXT = True
TAKES_TOKENS = False


class Settings(Strict):
    """The rate of the files, and what is held out where the dataset holds out nothing."""

    sample_rate: int | None = Field(22_050, ge=4_000, le=192_000, description="Hz; null: each clip as recorded.")
    val: float = Field(
        0.1, ge=0, lt=1, description="Share of the time, by whole recordings, where the dataset holds nothing out."
    )


def write(clips: Iterator[ExportClip], about: About, folder: Path, settings: Settings) -> None:
    """Fill the folder."""
    drawn = None
    if not about.clips.get("val"):
        drawn = held_out(about.recordings, settings.val)
        log(f"no clip is held out for val: {len(drawn)} of {len(about.recordings)} recordings are drawn for it")
    durations, left_out = {}, 0
    with lines(folder) as tables:
        for clip in clips:
            split = clip.split
            if drawn is not None and split == "train" and clip.recording in drawn:
                if clip.derived:
                    left_out += 1
                    continue
                split = "val"
            pcm = clip.pcm(settings.sample_rate)
            write_wav(folder / "wavs" / f"{clip.name}.wav", pcm.levels, pcm.sample_rate)
            line = f"{clip.name}|{field(clip.text_raw)}|{field(clip.text_normalised)}"
            tables.add("metadata.csv", line)
            tables.add(f"metadata_{split}.csv", line)
            durations[clip.name] = round(pcm.duration_s, 6)
    if left_out:
        log(f"{left_out} derived clips of held-out recordings are left out")
    (folder / "duration.json").write_text(json.dumps(durations, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
