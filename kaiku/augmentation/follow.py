"""What a derived corpus takes over from the one it is made of: names, texts, and which clips a dataset may train on."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

LIBRARIES = ("pandas",)
MARK = "~"
NOT_TRAINED = "source_not_train"


def derived_clip(clip: str, corpus: str) -> str:
    """What a clip is called in a derived corpus; names of corpora hold no mark."""
    return f"{clip}{MARK}{corpus}"


def source_clip(clip: str) -> str:
    """What the clip it was made from is called."""
    return clip.rpartition(MARK)[0]


def follow(decided: "pd.DataFrame", source: "pd.DataFrame") -> "pd.DataFrame":
    """The decisions on a derived shard, led by those on its source's: nothing is kept but what that one trains on.

    Both as `kaiku.selection.decide` gives them. A clip whose source is dropped, or held out, is dropped as
    `source_not_train`, unless it has a reason of its own; the others train, with the text that their source has now.
    """
    trained = source[source["kept"] & (source["split"] == "train")].set_index("clip")["text"]
    frame, origins = decided.copy(), decided["clip"].map(source_clip, na_action="ignore")
    kept = decided["kept"].astype(bool) & origins.isin(trained.index)
    lost = decided["kept"].astype(bool) & ~kept
    frame["kept"] = kept
    frame.loc[lost, "reason"] = NOT_TRAINED
    frame.loc[~kept, ["split", "text", "warnings"]] = ""
    frame.loc[kept, "split"] = "train"
    frame.loc[kept, "text"] = origins[kept].map(trained)
    return frame


def inherited(segments: "pd.DataFrame", transcripts: "pd.DataFrame") -> "pd.DataFrame":
    """Transcripts of a derived shard's clips: those of the clips they were made from, under their own names.

    segments: of the derived shard; transcripts: of the source's. The result has the columns of `transcripts`.
    """
    clips = segments.loc[segments["clip"].notna(), "clip"]
    found = transcripts.set_index("clip").reindex(clips.map(source_clip)).reset_index()
    found["item"] = found["clip"] = clips.to_list()
    return found[list(transcripts.columns)]
