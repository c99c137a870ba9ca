"""What a report is made of: plain dicts, so that any program can put one together. All times in seconds."""

from typing import Any, TypedDict

from kaiku.synthesis import Sample


class Licence(TypedDict):
    """Something the model was made from, and under which terms ("base openaudio-s1-mini", "CC-BY-NC-SA-4.0")."""

    what: str
    licence: str


class Tally(TypedDict):
    """A number of clips and how long they are together."""

    clips: int
    seconds: float


class Corpus(TypedDict):
    """The account of one corpus; `clips`, what its recordings were cut into, must equal kept + dropped + failed."""

    name: str
    language: str
    recordings: int
    source_seconds: float
    clips: Tally
    kept: Tally
    dropped: dict[str, Tally]  # by reason
    failed: Tally  # broke in some stage: apart from quality


class Curve(TypedDict):
    """One line of a plot; points: [x, y] in the order of x."""

    name: str
    points: list[list[float]]


class Plot(TypedDict):
    """A plot; labels carry their units ("step", "nats per code")."""

    title: str
    x_label: str
    y_label: str
    curves: list[Curve]
    best: float | None  # x of the checkpoint that was chosen


class Problem(TypedDict):
    """A file or clip that could not be used, why, and what to do about it."""

    where: str
    what: str
    remedy: str


class Timing(TypedDict):
    """How long a stage took, and how many of its items were made anew, taken from before, or broke."""

    stage: str
    seconds: float
    computed: int
    reused: int
    failed: int


class ReportData(TypedDict, total=False):
    """Everything on the page. Only `title` must be there; what is absent is said to be absent.

    metrics: the content of metrics.json; codec: figures of the same form (value, unit, meaning, target, or why);
    samples at `sample_rate` Hz; lineage: label to text, in the order shown.
    """

    title: str
    summary: str
    lineage: dict[str, str]
    licences: list[Licence]
    corpora: list[Corpus]
    codec: dict[str, dict[str, Any]]
    plots: list[Plot]
    metrics: dict[str, Any]
    samples: list[Sample]
    sample_rate: int
    problems: list[Problem]
    timings: list[Timing]
