"""What a run's report is made of, collected from the workspace's artefacts."""

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaiku import stages
from kaiku.loading import codec_folder
from kaiku.metrics.figures import measured, not_measured
from kaiku.report.data import Corpus, Plot, Problem, ReportData, Tally, Timing
from kaiku.selection import account
from kaiku.settings import Settings
from kaiku.store import rows, scan, tables
from kaiku.synthesis import read_samples

if TYPE_CHECKING:
    import pandas as pd

STAGES = (
    "segment_recordings",
    "transcribe_segments",
    "measure_segments",
    "measure_texts",
    "select_segments",
    "train_codec",
    "encode_tokens",
    "pack_protos",
    "train_model",
    "merge_model",
    "synthesize_samples",
    "evaluate_model",
)
CODEC_FIGURES = {
    "stoi": ("", "short-time objective intelligibility of held-out clips, 0 to 1"),
    "mel_distance": ("log10 mel", "mean distance of log10 mel spectra of held-out clips"),
    "snr_db": ("dB", "signal to noise after alignment; a codec of few bits is not judged by it"),
}


def gather(settings: Settings, run: str) -> ReportData:
    """The report of a run, from what stands in the workspace now."""
    own = settings.runs[run]
    results = Path("results") / run
    samples, sample_rate = read_samples(results / "samples")
    return ReportData(
        title=f"{run}: {own.family} on {own.dataset}",
        summary=_summary(settings, run),
        lineage=_lineage(settings, run),
        licences=[{"what": what, "licence": licence} for what, licence in settings.licences(run).items()],
        corpora=[corpus for name in sorted(settings.datasets) for corpus in _corpora(settings, name)],
        codec=_codec(settings, own.codec),
        plots=[_plot(settings, name) for name in settings.lineage(run)],
        metrics=json.loads((results / "metrics.json").read_text()),
        samples=samples,
        sample_rate=sample_rate,
        problems=_problems(settings),
        timings=_timings(),
    )


def _summary(settings: Settings, run: str) -> str:
    own = settings.runs[run]
    words = f"A {own.family} model of dataset {own.dataset}, spoken through codec {own.codec}."
    if own.base in settings.runs and settings.runs[own.base].dataset != own.dataset:
        words += (
            f" It was made from {own.base}, which learnt {settings.runs[own.base].dataset}; what that one spoke, this "
            "one has partly forgotten, since none of it was rehearsed."
        )
    return words


def _lineage(settings: Settings, run: str) -> dict[str, str]:
    lines = {}
    for name in settings.lineage(run):
        own = settings.runs[name]
        way = f"LoRA of rank {own.lora.r}" if own.lora else "all weights"
        steps = json.loads((_checkpoints(name) / "run.json").read_text())["steps"]
        lines[f"run {name}"] = f"{way}, {steps} steps on {own.dataset}, from {own.base or 'nothing'}"
        if weights := stages.mix(settings, name):
            heard = ", ".join(f"{corpus} {weight:g}" for corpus, weight in weights.items())
            lines[f"mix of {name}"] = f"each clip so often in an epoch: {heard}; others once"
        metrics = Path("results") / name / "metrics.json"
        if name != run and metrics.exists():
            lines[f"figures of {name}"] = _short(json.loads(metrics.read_text())["figures"])
    record = Path("models") / run / "merged" / "metadata.json"
    if record.exists():
        merged = json.loads(record.read_text())
        lines["checkpoint"] = f"step {merged['checkpoint']['step']} ({merged['checkpoint']['chosen']})"
        if merged["merge"]["adapter"]:
            lines["merge"] = f"logits within {merged['merge']['max_logit_difference']:.1e} of the adapter's"
    return lines


def _checkpoints(run: str) -> Path:
    return Path("models") / run / "checkpoints"


def _short(figures: dict[str, Any]) -> str:
    names = ("loss_ratio", "wrong_text_gap", "retrieval_train", "retrieval_val")
    known = [(name, figures[name]) for name in names if figures.get(name, {}).get("value") is not None]
    return "; ".join(f"{name.replace('_', ' ')} {figure['value']} {figure['unit']}" for name, figure in known)


def _corpora(settings: Settings, dataset: str) -> list[Corpus]:
    import pandas as pd

    found = []
    for corpus in settings.datasets[dataset].corpora:
        shards = sorted(Path(f"data/selection/{dataset}/{corpus}").glob("*.parquet"))
        if shards:
            frame = pd.concat([tables.selection(path) for path in shards], ignore_index=True)
            found.append(_account(frame, f"{dataset} / {corpus}", settings.corpora[corpus].language))
    return found


def _account(frame: "pd.DataFrame", name: str, language: str) -> Corpus:
    sums = account(frame)
    dropped = dict(sums["dropped"])
    failed = [dropped.pop(reason) for reason in list(dropped) if reason.startswith("failed:")]
    if sums["outside"]["seconds"] > 0:
        dropped["between clips"] = sums["outside"]
    return Corpus(
        name=name,
        language=language,
        recordings=int(frame["recording"].nunique()),
        source_seconds=sums["source"]["seconds"],
        clips=Tally(clips=sums["source"]["clips"], seconds=float(frame.loc[frame["clip"].notna(), "duration_s"].sum())),
        kept=sums["kept"],
        dropped=dropped,
        failed=Tally(clips=sum(f["clips"] for f in failed), seconds=sum(f["seconds"] for f in failed)),
    )


def _codec(settings: Settings, codec: str) -> dict[str, dict[str, Any]]:
    path = codec_folder(settings, codec) / "metrics.json"
    if not path.exists():
        return {"codec": not_measured("the codec came trained", f"quality of {codec} on this data")}
    found = json.loads(path.read_text())
    figures = {"bitrate": measured(found["bitrate_bps"], "bit/s", f"of codec {codec}")}
    for name, (unit, meaning) in CODEC_FIGURES.items():
        value = found["after"][name]
        why = "no clip was held out"
        figures[name] = not_measured(why, meaning) if value is None else measured(value, unit, meaning)
    for level, use in enumerate(found["levels"] or []):
        meaning = f"effective number of {use['codes']} codes in use at level {level}"
        figures[f"perplexity_{level}"] = measured(use["perplexity"], "codes", meaning)
    return figures


def _plot(settings: Settings, run: str) -> Plot:
    folder = _checkpoints(run)
    curve = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    return Plot(
        title=f"Loss of {run}",
        x_label="step",
        y_label="nats per target",
        curves=[
            {"name": "training", "points": [[row["step"], row["loss"]] for row in curve]},
            {"name": "held out", "points": [[row["step"], row["val_loss"]] for row in curve if "val_loss" in row]},
        ],
        best=json.loads((folder / "best.json").read_text())["step"],
    )


def _problems(settings: Settings) -> list[Problem]:
    found: list[Problem] = []
    for corpus in sorted(settings.corpora):
        for problem in scan.read_problems(Path("data/manifests") / corpus):
            found.append(Problem(where=f"{corpus}/{problem.where}", what=problem.what, remedy=problem.remedy))
        patterns = (
            f"segments/{corpus}",
            f"transcripts/*/{corpus}",
            f"measures/{corpus}",
            f"text_measures/*/{corpus}",
            f"tokens/*/{corpus}",
        )
        for path in (path for pattern in patterns for path in sorted(Path("data").glob(f"{pattern}/*.parquet"))):
            for row in rows.read(path, columns=["item", "status", "error"]).to_pylist():
                if row["status"] == rows.STATUS_FAILED:
                    remedy = "Mend or remove the file and run again."
                    found.append(Problem(where=f"{corpus}/{row['item']}", what=row["error"], remedy=remedy))
    return found


def _timings() -> list[Timing]:
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for path in Path("logs").glob("*/*.counts.json"):
        for name, value in json.loads(path.read_text()).items():
            sums[path.parent.name][name] += value
    return [
        Timing(
            stage=stage,
            seconds=sums[stage]["seconds"],
            **{name: int(sums[stage][name]) for name in ("computed", "reused", "failed")},
        )
        for stage in STAGES
        if stage in sums
    ]
