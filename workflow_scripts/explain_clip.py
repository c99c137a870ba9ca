"""Tell all that is known of a clip: source, cut, texts, measures, decisions, tokens, packs, models, what is stale.

python -m workflow_scripts.explain_clip train-01@00000120-00003480 --corpus otso
python -m workflow_scripts.explain_clip train-01        # a recording: its clips; a part of an id: what it may mean
"""

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from kaiku import job
from kaiku.errors import KaikuError
from kaiku.loading import base_folder
from kaiku.planning.finding import find
from kaiku.planning.heard import models_that_heard
from kaiku.planning.passport import passport, recording_passport
from kaiku.planning.passport_page import page
from kaiku.planning.staleness import staleness
from kaiku.settings import Settings
from kaiku.stages import ITEM_RULES
from kaiku.workspace.plan import recorded
from workflow_scripts import train_model


def explain(settings: Settings, wanted: str, corpus: str | None) -> dict:
    """A passport with the models that heard the clip and what is stale of it."""
    place = find(settings, wanted, corpus)
    if not place.clip:
        return recording_passport(settings, place)
    found = passport(settings, place)
    programs = {rule: importlib.import_module(f"workflow_scripts.{rule}") for rule in ITEM_RULES}
    found["models"] = models_that_heard(settings, found.get("packs", ()), lambda run: training_key(settings, run))
    found["staleness"] = staleness(settings, place, programs, recorded)
    return found


def training_key(settings: Settings, run: str) -> str | None:
    """The key that a run's training would have now; None where its base is not there."""
    own, base = settings.runs[run], base_folder(settings, run)
    packs = {split: sorted(Path(f"data/protos/{own.dataset}/{own.codec}/{split}").glob("*.protos")) for split in SPLITS}
    if not all(packs.values()) or (base and not base.is_dir()):
        return None
    return train_model.result(settings, argparse.Namespace(run=run, **packs, base=base, carry=None, out=None)).key


SPLITS = ("train", "val")


def main(argv: Sequence[str] | None = None) -> int:
    """Program entry; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", type=Path, default=Path("work/settings.json"), help="the resolved configuration")
    parser.add_argument("clip", help="id of a clip or recording, or a part of one")
    parser.add_argument("--corpus", help="where it stands, if several corpora have one of that name")
    parser.add_argument("--json", action="store_true", help="for programs: the passport as JSON")
    args = parser.parse_args(argv)
    try:
        found = explain(job.read_settings(args.settings), args.clip, args.corpus)
    except KaikuError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=1, ensure_ascii=False) if args.json else page(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
