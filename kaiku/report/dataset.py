"""One page about a dataset: where every second went, measures against their bounds, gates, what to change."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from kaiku.report.data import Corpus, Tally
from kaiku.report.histogram import histogram
from kaiku.report.licence import licence_warnings
from kaiku.report.report import corpus_view, filled

FORMAT = 1
LIBRARIES = ("jinja2",)
DATA_FILES = ("dataset.html",)
TEMPLATE = "dataset.html"
SPEAKERS_SHOWN = 50


def render(survey: Mapping[str, Any], licences: Mapping[str, str], meanings: Mapping[str, str]) -> str:
    """The page as HTML text. survey: as the account holds it; licences: by corpus; meanings: of measures."""
    speakers = sorted(survey["speakers"].items(), key=lambda item: (-item[1]["kept_seconds"], item[0]))
    corpora = [_corpus(name, part) for name, part in survey["corpora"].items()]
    account = survey["account"]
    return filled(
        TEMPLATE,
        {
            "title": f"Dataset {survey['dataset']}",
            "licences": [{"what": f"corpus {name}", "licence": licence} for name, licence in licences.items()],
            "warnings": licence_warnings((f"corpus {name}", licence) for name, licence in licences.items()),
            "account": account,
            "nothing": not account["kept"]["clips"],
            "corpora": [corpus_view(corpus) for corpus in corpora],
            "gates": survey["gates"],
            "passed": survey["passed"],
            "advice": survey["advice"],
            "measures": [
                (name, measure, histogram(name, measure), meanings.get(name, ""))
                for name, measure in survey["measures"].items()
            ],
            "speakers": speakers[:SPEAKERS_SHOWN],
            "speakers_more": max(0, len(speakers) - SPEAKERS_SHOWN),
            "languages": list(survey["languages"].items()),
            "failures": survey["failures"],
            "errors": Counter(failure["error"] for failure in survey["failures"]["items"]).most_common(),
            "problems": survey["problems"],
        },
    )


def _corpus(name: str, part: Mapping[str, Any]) -> Corpus:
    dropped = {reason: _tally(tally) for reason, tally in part["dropped"].items()}
    failed = [dropped.pop(reason) for reason in list(dropped) if reason.startswith("failed:")]
    if part["outside"]["ms"]:
        dropped["between clips"] = _tally(part["outside"])
    clip_ms = part["source"]["ms"] + part["overlap"]["ms"] - part["outside"]["ms"]
    return Corpus(
        name=name,
        language="",
        recordings=part["recordings"],
        source_seconds=part["source"]["ms"] / 1000,
        clips=Tally(clips=part["source"]["clips"], seconds=clip_ms / 1000),
        kept=_tally(part["kept"]),
        dropped=dropped,
        failed=Tally(clips=sum(f["clips"] for f in failed), seconds=sum(f["seconds"] for f in failed)),
    )


def _tally(part: Mapping[str, int]) -> Tally:
    return Tally(clips=part["clips"], seconds=part["ms"] / 1000)
