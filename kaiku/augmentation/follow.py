"""What a derived corpus takes over from the one it is made of: names, texts, and which clips a dataset may train on."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

LIBRARIES = ("pandas",)
MARK = "~"


def derived_clip(clip: str, corpus: str) -> str:
    """What a clip is called in a derived corpus; names of corpora hold no mark."""
    return f"{clip}{MARK}{corpus}"


def source_clip(clip: str) -> str:
    """What the clip it was made from is called."""
    return clip.rpartition(MARK)[0]


def untrained(clips: "pd.Series", source: "pd.DataFrame") -> set[str]:
    """Derived clips that may not be trained on, since the clip they were made from is dropped or held out.

    clips: of the derived shard, None where there is none. source: the selection of the source's shard.
    """
    trained = source.loc[source["kept"] & (source["split"] == "train"), "clip"]
    origins = clips.map(source_clip, na_action="ignore")
    return set(clips[clips.notna() & ~origins.isin(trained)])


def retold(decided: "pd.DataFrame", source: "pd.DataFrame") -> "pd.DataFrame":
    """The decisions on a derived shard, what is kept with the text that its source has in the selection now."""
    texts = source.dropna(subset="clip").set_index("clip")["text"]
    said = decided["clip"].map(source_clip, na_action="ignore").map(texts)
    return decided.assign(text=decided["text"].where(~decided["kept"], said))


def inherited(segments: "pd.DataFrame", transcripts: "pd.DataFrame") -> "pd.DataFrame":
    """Transcripts of a derived shard's clips: those of the clips they were made from, under their own names.

    segments: of the derived shard; transcripts: of the source's. The result has the columns of `transcripts`.
    """
    clips = segments.loc[segments["clip"].notna(), "clip"]
    found = transcripts.set_index("clip").reindex(clips.map(source_clip)).reset_index()
    found["item"] = found["clip"] = clips.to_list()
    return found[list(transcripts.columns)]
