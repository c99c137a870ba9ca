"""One self-contained page about a run: what it was made of, what came out, what is not known."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kaiku.progress import log
from kaiku.report.data import Corpus, ReportData, Tally
from kaiku.report.licence import licence_warnings
from kaiku.report.player import player_uri
from kaiku.report.plot import line_plot
from kaiku.report.spectrogram import spectrogram_uri
from kaiku.store import atomic
from kaiku.synthesis import Sample

FORMAT = 1
LIBRARIES = ("jinja2", "librosa", "numpy", "pillow", "soundfile", "soxr")
DATA_FILES = ("template.html", "account.html", "style.css")
TEMPLATE = "template.html"

HEADLINES = ("loss_ratio", "wrong_text_gap", "retrieval_val", "retrieval_train", "length_ratio_val")
LABELS = {
    "heldout_loss": "Held-out loss",
    "train_loss": "Loss on training sentences",
    "loss_ratio": "Loss over unigram",
    "retrieval_val": "Retrieval, held out",
    "retrieval_train": "Retrieval, trained on",
    "length_ratio_val": "Length, held out",
    "length_ratio_train": "Length, trained on",
    "ended_val": "Stopped by itself, held out",
    "ended_train": "Stopped by itself, trained on",
    "wer": "Word error rate",
    "cer": "Character error rate",
    "original_wer": "Word error rate of the original",
    "dnsmos": "DNSMOS",
    "snr_db": "SNR",
    "si_sdr_db": "SI-SDR",
    "stoi": "STOI",
}
SPLITS = {"val": "Held out: never trained on", "test": "Test: never trained on", "train": "From the training data"}
BY_LEVEL = ("heldout_loss", "unigram_loss", "loss_ratio", "train_loss")


def write_report(data: ReportData, path: Path) -> None:
    """Write the page whole; same data, same bytes."""
    page = render(data)
    atomic.write_text(path, page)
    log(f"report: {path}, {len(page.encode()) / 1e6:.1f} MB")


def render(data: ReportData) -> str:
    """The page as HTML text that refers to nothing outside itself."""
    return filled(TEMPLATE, view(data))


def filled(template: str, values: Mapping[str, Any]) -> str:
    """A template of this folder with its values."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"duration": duration, "share": share, "label": label, "figure": figure_text}
    return environment.get_template(template).render(values)


def view(data: ReportData) -> dict[str, Any]:
    """The data as the template takes it: complete, with pictures, players and sums."""
    metrics = data.get("metrics") or {}
    figures = metrics.get("figures", {})
    problems = data.get("problems", [])
    return {
        "title": data["title"],
        "summary": data.get("summary", ""),
        "warnings": licence_warnings((item["what"], item["licence"]) for item in data.get("licences", [])),
        "headlines": [(name, figures[name]) for name in HEADLINES if name in figures],
        "lineage": data.get("lineage", {}),
        "licences": data.get("licences", []),
        "corpora": [corpus_view(corpus) for corpus in data.get("corpora", [])],
        "codec": data.get("codec", {}),
        "plots": [(plot, line_plot(plot)) for plot in data.get("plots", [])],
        "figures": figures,
        "levels": _levels(figures),
        "splits": _samples_view(data.get("samples", []), data.get("sample_rate", 0), metrics.get("samples", [])),
        "problems": problems,
        "problem_counts": Counter(problem["what"] for problem in problems).most_common(),
        "timings": data.get("timings", []),
        "slowest_s": max((timing["seconds"] for timing in data.get("timings", [])), default=0.0),
    }


def unaccounted(corpus: Corpus) -> int:
    """Clips that are neither kept, dropped nor failed (negative: counted twice); 0 where the sums balance."""
    return corpus["clips"]["clips"] - sum(tally["clips"] for tally in _fates(corpus).values())


def _fates(corpus: Corpus) -> dict[str, Tally]:
    """What became of a corpus' clips, kept first, then by falling number."""
    dropped = sorted(corpus["dropped"].items(), key=lambda item: (-item[1]["clips"], item[0]))
    return {"kept": corpus["kept"], **dict(dropped), "failed": corpus["failed"]}


def corpus_view(corpus: Corpus) -> dict[str, Any]:
    """An account as the template takes it."""
    fates = _fates(corpus)
    return {
        **corpus,
        "fates": fates,
        "total_seconds": sum(tally["seconds"] for tally in fates.values()),
        "unaccounted": unaccounted(corpus),
        "dropped_clips": sum(tally["clips"] for tally in corpus["dropped"].values()),
        "dropped_seconds": sum(tally["seconds"] for tally in corpus["dropped"].values()),
    }


def _levels(figures: Mapping[str, dict[str, Any]]) -> dict[str, list[float]]:
    """Figures that are known by codebook level: name to values, all equally long."""
    return {name: figures[name]["levels"] for name in BY_LEVEL if figures.get(name, {}).get("levels")}


def _samples_view(
    samples: Sequence[Sample], sample_rate: int, rows: Sequence[dict[str, Any]]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """Samples with pictures and players by split, held-out first."""
    row_of = {row["id"]: row for row in rows}
    splits: dict[str, list[dict[str, Any]]] = {}
    for sample in sorted(samples, key=lambda s: (list(SPLITS).index(s.split) if s.split in SPLITS else 9, s.split)):
        row = row_of.get(sample.id, {})
        entry = {
            "sample": sample,
            "rank": row.get("rank"),
            "candidates": row.get("candidates"),
            "clips": _clips(sample, sample_rate),
        }
        splits.setdefault(SPLITS.get(sample.split, sample.split), []).append(entry)
    return list(splits.items())


def _clips(sample: Sample, sample_rate: int) -> list[dict[str, Any]]:
    """Generated and original side by side, pictures as wide as they are long."""
    clips = [("Generated", sample.audio, sample.seconds)]
    clips.append(("Original, through the codec", sample.reference_audio, sample.reference_seconds))
    longest = max(sample.seconds, sample.reference_seconds)
    return [
        {
            "name": name,
            "seconds": seconds,
            "width": 100 * seconds / longest,
            "picture": spectrogram_uri(audio, sample_rate),
            "player": player_uri(audio, sample_rate),
        }
        for name, audio, seconds in clips
        if audio is not None and len(audio)
    ]


def duration(seconds: float) -> str:
    """Seconds as people say them: "3 h 04 min", "4 min 09 s", "2.4 s"."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    if whole >= 60:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{seconds:.1f} s"


def share(part: float, whole: float) -> str:
    """A part as a percentage; a dash of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def label(name: str) -> str:
    """A figure's name as a heading."""
    return LABELS.get(name) or name.replace("_", " ").capitalize()


def figure_text(value: Any) -> str:
    """A value with three significant digits, whole numbers whole."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value)}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
