"""Put a run's model, codec, report, card and checksums into one archive, and read it back.

python -m workflow_scripts.package_model --run toy --model models/toy/merged --codec models/codecs/toy \
    --checkpoints models/toy/checkpoints models/toy-base/checkpoints --report results/toy/report.html \
    --metrics results/toy/metrics.json --out dist/toy.tar.gz
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from kaiku import job, stages
from kaiku.loading import codec_files
from kaiku.package import Card, package
from kaiku.settings import Settings
from kaiku.store.items import Counts


def program(args: argparse.Namespace) -> Counts:
    """Package one run."""
    settings = job.read_settings(args.settings)
    figures = json.loads(args.metrics.read_text())["figures"]
    told = card(settings, args.run, figures, speakers(args.checkpoints))
    own_files = codec_files(settings.codecs[settings.runs[args.run].codec])
    package(args.model, args.codec, args.report, told, args.out, own_files)
    return Counts(computed=1)


def card(settings: Settings, run: str, figures: dict, voices: list[str]) -> Card:
    """What the model card says of a run."""
    own = settings.runs[run]
    return Card(
        name=run,
        licence="the narrowest of the terms below",
        licences=[{"what": what, "licence": licence} for what, licence in settings.licences(run).items()],
        lineage={name: settings.runs[name].base or "from nothing" for name in settings.lineage(run)},
        data=[line for name in settings.lineage(run) for line in data(settings, name)],
        figures=figures,
        intended_use=f"Speech of dataset {own.dataset} through codec {own.codec}.",
        speakers=voices,
    )


def data(settings: Settings, run: str) -> Iterator[str]:
    """What one training of the lineage heard, a line per corpus."""
    weights = stages.mix(settings, run)
    for name in settings.datasets[settings.runs[run].dataset].corpora:
        own = settings.corpora[name]
        often = f", each clip {weights[name]:g} times an epoch" if name in weights else ""
        yield f"{name}: {own.language}, {own.licence}, heard by {run}{often}"


def speakers(checkpoints: Sequence[Path]) -> list[str]:
    """Everybody whose voice taught a model, by the records of its trainings; nobody where one of them does not say."""
    records = [json.loads((folder / "run.json").read_text()) for folder in checkpoints]
    heard = {name for record in records for name in record.get("speakers", {}).get("train", [""])}
    return [] if "" in heard else sorted(heard)


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--run", required=True)
    made.add_argument("--checkpoints", type=Path, nargs="+", required=True, help="of the run and of those before it")
    for name in ("--model", "--codec", "--report", "--metrics", "--out"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
