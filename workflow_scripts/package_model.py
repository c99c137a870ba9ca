"""Put a run's model, codec, report, card and checksums into one archive, and read it back.

python -m workflow_scripts.package_model --run toy --model models/toy/merged --codec models/codecs/toy \
    --report results/toy/report.html --metrics results/toy/metrics.json --out dist/toy.tar.gz
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from kaiku import job, stages
from kaiku.loading import licences
from kaiku.package import Card, package
from kaiku.settings import Settings
from kaiku.store.items import Counts


def program(args: argparse.Namespace) -> Counts:
    """Package one run."""
    settings = job.read_settings(args.settings)
    figures = json.loads(args.metrics.read_text())["figures"]
    package(args.model, args.codec, args.report, card(settings, args.run, figures), args.out)
    return Counts(computed=1)


def card(settings: Settings, run: str, figures: dict) -> Card:
    """What the model card says of a run."""
    own = settings.runs[run]
    terms = licences(settings, run)
    corpora = settings.datasets[own.dataset].corpora
    weights = stages.mix(settings, run)
    heard = {corpus: f", each clip {weight:g} times an epoch" for corpus, weight in weights.items()}
    return Card(
        name=run,
        licence="the narrowest of the terms below",
        licences=[{"what": what, "licence": licence} for what, licence in terms.items()],
        lineage={name: settings.runs[name].base or "from nothing" for name in settings.lineage(run)},
        data=[
            f"{name}: {settings.corpora[name].language}, {settings.corpora[name].licence}{heard.get(name, '')}"
            for name in corpora
        ],
        figures=figures,
        intended_use=f"Speech of dataset {own.dataset} through codec {own.codec}.",
        speakers=sorted({settings.corpora[name].speaker for name in corpora} - {""}),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = job.parser(__doc__)
    parser.add_argument("--run", required=True)
    for name in ("--model", "--codec", "--report", "--metrics", "--out"):
        parser.add_argument(name, type=Path, required=True)
    return job.main(program, parser, argv)


if __name__ == "__main__":
    raise SystemExit(main())
