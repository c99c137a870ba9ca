"""Say what a dataset is made of: where every second went, measures against bounds, gates, what to change.

python -m workflow_scripts.report_dataset --dataset otso --selection data/selection/otso/otso/*.parquet \
    --segments data/segments/otso/*.parquet --transcripts data/transcripts/given/otso/*.parquet \
    --measures data/measures/otso/*.parquet --problems data/manifests/otso/problems.tsv \
    --page results/datasets/otso/report.html --account results/datasets/otso/account.json --carry work/carry/survey/otso
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from kaiku import job, plugins, stages
from kaiku.progress import log
from kaiku.settings import Settings
from kaiku.store import atomic, digest, whole
from kaiku.store.items import Counts


def program(args: argparse.Namespace) -> Counts:
    """Report one dataset."""
    settings = job.read_settings(args.settings)
    own = settings.datasets[args.dataset]

    def build(outputs: Mapping[str, Path]) -> None:
        from kaiku.report.dataset import render
        from kaiku.report.survey_dataset import survey

        tables = {"segment": args.segments, "transcribe": args.transcripts, "measure": args.measures}
        found = survey(settings, args.dataset, args.selection, tables)
        licences = {corpus: settings.corpora[corpus].licence for corpus in own.corpora}
        atomic.write_json(outputs["account"], found)
        atomic.write_text(outputs["page"], render(found, licences, meanings(settings)))
        log(f"gates of {args.dataset}: {'passed' if found['passed'] else 'not passed'}")
        for sentence in found["advice"]:
            log(sentence)

    return result(settings, args).make(build)


def meanings(settings: Settings) -> dict[str, str]:
    """Unit and meaning of each measure."""
    of_checks = {name: text for check in settings.checks for name, text in plugins.find("checks", check).FIELDS.items()}
    return {"duration_s": "s.", "confidence": "of the transcriber.", **of_checks}


def result(settings: Settings, args: argparse.Namespace) -> whole.Result:
    """What is to be made, and its key."""
    paths = [*args.selection, *args.segments, *args.transcripts, *args.measures, *args.problems]
    inputs = [f"{path} {digest.of_file(path)}" for path in paths]
    key = stages.survey(settings, args.dataset).item(*inputs)
    return whole.Result(args.carry, key, {"page": args.page, "account": args.account})


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--dataset", required=True)
    for name in ("--selection", "--segments", "--transcripts", "--measures"):
        made.add_argument(name, type=Path, nargs="+", required=True)
    made.add_argument("--problems", type=Path, nargs="*", default=[], help="what the scan could not make sense of")
    for name in ("--page", "--account", "--carry"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
