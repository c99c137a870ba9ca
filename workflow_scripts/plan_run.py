"""Say what a run would do and why, how long it would take, for how much money and disk, before anything is spent.

python -m workflow_scripts.plan_run                                    # what `snakemake` would do here
python -m workflow_scripts.plan_run results/toy/report.html -- --configfile config/other.yaml
"""

import argparse
import importlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kaiku import job
from kaiku.errors import KaikuError
from kaiku.planning import estimate
from kaiku.planning.page import page
from kaiku.planning.reasons import reasons
from kaiku.planning.work import Survey
from kaiku.stages import ITEM_RULES
from kaiku.workspace.plan import dry_run

ASKED = (
    *ITEM_RULES,
    "select_segments",
    "report_dataset",
    "pack_protos",
    "train_codec",
    "train_model",
    "merge_model",
    "synthesize_samples",
    "evaluate_model",
    "export_dataset",
)
"""Rules whose programs can tell what they would compute."""


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", type=Path, default=Path("work/settings.json"), help="the resolved configuration")
    parser.add_argument("targets", nargs="*", help="files or rules; after `--` further arguments of Snakemake")
    args = parser.parse_args(argv)
    try:
        plan = dry_run(args.targets)
        settings = job.read_settings(args.settings)
        programs = {rule: importlib.import_module(f"workflow_scripts.{rule}") for rule in ASKED}
        with tempfile.TemporaryDirectory() as scratch:
            works = Survey(settings, programs, Path(scratch)).of(plan)
        stages = estimate.by_stage(works)
        print(page(settings.system, reasons(settings, works), stages, estimate.disk(works), settings.price))
    except KaikuError as error:
        parser.exit(1, f"error: {error}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
