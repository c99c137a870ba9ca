"""Kaiku: from raw recordings to a speech model, with exactly the stale pieces made again."""

from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from kaiku.workspace import closing

min_version("9.2")


if "system" not in config and not workflow.config_settings.configfiles:
    if not Path("config/config.yaml").exists():
        raise SystemExit(
            "kaiku: no configuration: config/config.yaml is not in this folder. Name one with --configfile, "
            "or go to a workspace with --directory."
        )

    configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/fetch.smk"
include: "rules/corpus.smk"
include: "rules/augmentation.smk"
include: "rules/dataset.smk"
include: "rules/tokens.smk"
include: "rules/training.smk"
include: "rules/results.smk"
include: "rules/exports.smk"


rule all:
    """Everything the configuration asks for: selections, dataset reports, reports and packages of all runs, exports."""
    default_target: True
    input:
        selections=all_selections(),
        surveys=surveys(),
        reports=[f"results/{run}/report.html" for run in SETTINGS.runs],
        packages=[f"dist/{run}.tar.gz" for run, own in SETTINGS.runs.items() if own.package],
        exports=[f"dist/exports/{name}" for name in SETTINGS.exports],


onstart:
    if not WORKSPACE.locked:
        raise WorkflowError("Another run is working in this workspace; wait for it, or end it, and call again.")
    WORKSPACE.before_jobs()


onsuccess:
    WORKSPACE.after_jobs()


onerror:
    WORKSPACE.after_jobs()
    print(closing.words(log), file=sys.stderr)
