"""Make a run's model from its chosen checkpoint: merged in fp32, proven equal to the adapter, in upstream's layout.

python -m workflow_scripts.merge_model --run toy --checkpoints models/toy/checkpoints --base models/toy-base/merged \
    --val data/protos/aino/toy/val/*.protos --out models/toy/merged --carry work/carry/merge/toy
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import kaiku
from kaiku import job, stages
from kaiku.loading import load_family
from kaiku.settings import Settings
from kaiku.store import digest, whole
from kaiku.store.items import Counts
from kaiku.store.packs import read_packs


def program(args: argparse.Namespace) -> Counts:
    """Merge one run."""
    settings = job.read_settings(args.settings)
    own, inputs = settings.runs[args.run], input_digests(args)

    def build(outputs: Mapping[str, Path]) -> None:
        from kaiku.train.merge import merge_run

        metadata = {
            "run": args.run,
            "lineage": settings.lineage(args.run),
            "family": own.family,
            "base": {"name": own.base, "digest": inputs["base"]},
            "dataset": own.dataset,
            "codec": own.codec,
            "made_by": f"kaiku {kaiku.__version__}",
        }
        merge_run(
            load_family(own),
            args.base,
            args.checkpoints,
            own.merge.checkpoint,
            outputs["merged"],
            read_packs(args.val),
            metadata,
            dtype=own.merge.dtype,
        )

    return result(settings, args, inputs).make(build)


def input_digests(args: argparse.Namespace) -> dict[str, str]:
    """What a merge is made of."""
    return {
        "checkpoints": digest.of_tree(args.checkpoints, leave_out=["run.json"]),  # it holds the seconds it took
        "base": digest.of_tree(args.base) if args.base else "",
    }


def result(settings: Settings, args: argparse.Namespace, inputs: dict[str, str] | None = None) -> whole.Result:
    """What is to be made, and its key. inputs: their digests, where they are known."""
    key = stages.merge(settings, args.run, inputs or input_digests(args)).item()
    return whole.Result(args.carry, key, {"merged": args.out})


def parser() -> argparse.ArgumentParser:
    """What the program takes."""
    made = job.parser(__doc__)
    made.add_argument("--run", required=True)
    made.add_argument("--val", type=Path, nargs="+", required=True)
    made.add_argument("--base", type=Path)
    for name in ("--checkpoints", "--out", "--carry"):
        made.add_argument(name, type=Path, required=True)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    return job.main(program, parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
