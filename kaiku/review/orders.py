"""In which order clips are listened to, and which of them: corpus and clip of each, made once a question."""

import unicodedata
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaiku.errors import KaikuError
from kaiku.planning.verdicts import in_words
from kaiku.review.index import Index
from kaiku.text.suspicion import suspicion

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

ORDERS = {
    "suspicion": "text most likely wrong first",
    "near": "nearest to a bound first",
    "reason": "by reason",
    "random": "at random",
    "shortest": "shortest first",
    "longest": "longest first",
    "corpus": "as they lie in the corpus",
}
SHOWN = ("all", "open", "decided", "keep", "reject", "text", "kept", "dropped")
KEPT_QUESTIONS = 8


@dataclass(frozen=True)
class Question:
    """What to list. order: of ORDERS, or `<measure>:up`, `<measure>:down`; show: of SHOWN; reason: a code of the
    selection, or empty; find: part of a clip's id or text; seed: of a random order."""

    order: str = "suspicion"
    show: str = "all"
    reason: str = ""
    find: str = ""
    corpus: str = ""
    seed: int = 0


class Lists:
    """Answers to questions about an index. An answer stays as it was until it is asked for anew, whatever a run makes
    meanwhile: no list jumps while somebody goes through it."""

    def __init__(self, index: Index):
        self.index = index
        self._answers: OrderedDict[Question, list[tuple[str, str]]] = OrderedDict()
        self._scores: tuple[int, pd.DataFrame, pd.DataFrame] | None = None

    def clips(self, question: Question, *, anew: bool = False) -> list[tuple[str, str]]:
        """Corpus and clip of those that are asked for, in their order; some may be gone since the list was made."""
        with self.index.lock:
            if anew or question not in self._answers:
                rows = self._ordered(question, self._wanted(question))
                self._answers.pop(question, None)
                self._answers[question] = [self.index.pairs[row] for row in rows]
                while len(self._answers) > KEPT_QUESTIONS:
                    self._answers.popitem(last=False)
            return self._answers[question]

    def why(self, row: int, order: str) -> str:
        """Why a clip stands where it does, in words; empty where the order says it."""
        suspicion, near = self._scored()
        if order == "suspicion":
            return suspicion["reason"].iloc[row]
        return near["why"].iloc[row] if order == "near" else ""

    def suspicion(self, row: int) -> tuple[float | None, str]:
        """How suspicious a clip's text is, 0..1, and why; None where there is nothing to judge by."""
        found = self._scored()[0].iloc[row]
        return (float(found["suspicion"]) if found["evidence"] else None), found["reason"]

    def _wanted(self, question: Question) -> "np.ndarray":
        import numpy as np

        index, frame = self.index, self.index.frame
        if question.show not in SHOWN:
            raise KaikuError(f"show={question.show}", expected=f"one of {', '.join(SHOWN)}")
        wanted = np.ones(len(frame), bool)
        if question.show in ("kept", "dropped"):
            wanted &= (frame["kept"] == (question.show == "kept")).to_numpy(bool)
        elif question.show != "all":
            verdicts = np.full(len(frame), "", object)
            for pair, decision in index.decided.items():
                verdicts[index.rows[pair]] = decision.verdict
            named = verdicts == question.show
            wanted &= {"open": verdicts == "", "decided": verdicts != ""}.get(question.show, named)
        if question.reason:
            wanted &= (frame["reason"] == question.reason).to_numpy(bool)
        if question.corpus:
            wanted &= (frame["corpus"] == question.corpus).to_numpy(bool)
        if question.find:
            sought = _folded(question.find)
            texts = frame["clip"] + "\n" + frame["text"].fillna("")
            wanted &= np.fromiter((sought in _folded(text) for text in texts), bool, len(frame))
        return np.flatnonzero(wanted)

    def _ordered(self, question: Question, rows: "np.ndarray") -> "np.ndarray":
        import numpy as np

        frame, order = self.index.frame, question.order
        if order == "corpus":
            return rows
        if order == "random":
            return np.random.default_rng(question.seed).permutation(rows)
        if order == "reason":
            return rows[np.argsort(frame["reason"].astype(str).to_numpy(str)[rows], kind="stable")]
        if order in ("shortest", "longest"):
            return _by(frame["duration_s"].to_numpy(float), rows, down=order == "longest")
        if order == "suspicion":
            return _by(self._scored()[0]["suspicion"].to_numpy(float), rows, down=True)
        if order == "near":
            return _by(self._scored()[1]["distance"].to_numpy(float), rows)
        measure, _, way = order.rpartition(":")
        if measure in (*self.index.measures, "confidence") and way in ("up", "down"):
            return _by(frame[measure].astype(float).to_numpy(), rows, down=way == "down")
        raise KaikuError(f"order={order}", expected=f"one of {', '.join(ORDERS)}, or <measure>:up, <measure>:down")

    def _scored(self) -> tuple["pd.DataFrame", "pd.DataFrame"]:
        with self.index.lock:
            if self._scores is None or self._scores[0] != self.index.generation:
                self._scores = self.index.generation, suspicions(self.index), nearness(self.index)
            return self._scores[1:]


def suspicions(index: Index) -> "pd.DataFrame":
    """For each clip `suspicion` (0..1), `reason` in words, and `evidence`, how many kinds of it there were."""
    import pandas as pd

    frame = index.frame
    letters = frame["text"].fillna("").str.len().to_numpy(float)
    facts = frame[["language", "confidence", *index.measures]].copy()
    facts["confidence"] = facts["confidence"].astype(float)
    if "chars_per_s" not in facts:
        facts["chars_per_s"] = pd.Series(letters / frame["duration_s"].clip(lower=0.01)).where(letters > 0)
    return suspicion(facts)


def nearness(index: Index) -> "pd.DataFrame":
    """For each clip how near it lies to a bound of its dataset: `distance`, the share of clips that lie no further from
    the bound on the same side, and `why`. So it needs no unit, and a value that most clips have is near to nothing.
    NaN where nothing that the dataset asks for was measured."""
    import numpy as np
    import pandas as pd

    frame = index.frame
    nearest, why = np.full(len(frame), np.nan), np.full(len(frame), "", object)
    for corpus in index.corpora:
        mine = (frame["corpus"] == corpus).to_numpy(bool)
        for field, bounds in bounds_of(index, corpus).items():
            if field not in frame:
                continue
            values = frame[field].astype(float).to_numpy()
            known = np.sort(values[~np.isnan(values)])
            for language in frame["language"][mine].unique():
                rows = np.flatnonzero(mine & (frame["language"] == language).to_numpy(bool) & ~np.isnan(values))
                for bound in (b for b in bounds.of_language(language) if b is not None):
                    distance = _between(known, values[rows], bound) / max(1, len(known))
                    closer = ~(distance >= nearest[rows])
                    nearest[rows[closer]] = distance[closer]
                    why[rows[closer]] = [f"{field} {v:.4g}, bound {bound:g}" for v in values[rows[closer]]]
    return pd.DataFrame({"distance": nearest, "why": why})


def _between(known: "np.ndarray", values: "np.ndarray", bound: float) -> "np.ndarray":
    """How many of the sorted values lie from each of `values` to the bound, itself and its equals included."""
    import numpy as np

    below = np.searchsorted(known, bound) - np.searchsorted(known, values)
    above = np.searchsorted(known, values, side="right") - np.searchsorted(known, bound)
    return np.where(values < bound, below, above)


def bounds_of(index: Index, corpus: str) -> dict[str, Any]:
    """The bounds by which a dataset decides about the clips of a corpus."""
    return index.own.of(corpus).select


def reason_in_words(index: Index, row: dict[str, Any]) -> str:
    """Why the last selection kept or left a clip."""
    if row["kept"] is None:
        return "not selected yet: run the workflow"
    return in_words(row["reason"], row, bounds_of(index, row["corpus"]))


def _by(values: "np.ndarray", rows: "np.ndarray", *, down: bool = False) -> "np.ndarray":
    """Rows by value, those without one last; equal ones in the order of the corpus."""
    import numpy as np

    return rows[np.argsort(-values[rows] if down else values[rows], kind="stable")]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
