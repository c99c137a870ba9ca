"""A corpus spread over another number of shards takes what is derived from it along."""

from argparse import Namespace
from pathlib import Path

from exported_world import tone

from kaiku import settings as configuration
from kaiku.housekeeping import resharding
from kaiku.workspace.start import scan_corpus
from workflow_scripts import augment_segments, segment_recordings


def run(settings):
    """Cut and derive every shard as it stands in the manifests; clips made of the source, and derived from it."""
    made = [0, 0]
    for shard in scan_corpus(settings, "aino").shards:
        source, derived = Path(f"data/segments/aino/{shard}.parquet"), Path(f"data/segments/aino-new/{shard}.parquet")
        manifest, carry = Path(f"data/manifests/aino/{shard}.audio.tsv"), Path(f"work/carry/segment/aino/{shard}")
        own = {"settings": Path("work/settings.json"), "manifest": manifest, "rows": source, "carry": carry}
        cut = segment_recordings.program(Namespace(corpus="aino", audio=source.with_suffix(".tar"), **own))
        own |= {"segments": source, "rows": derived, "carry": Path(f"work/carry/augment/aino-new/{shard}")}
        paths = {"audio": source.with_suffix(".tar"), "tar": derived.with_suffix(".tar")}
        derive = augment_segments.program(Namespace(corpus="aino-new", **{**own, **paths}))
        made = [made[0] + cut.computed, made[1] + derive.computed]
    return made


def test_nothing_derived_is_made_again(world):
    for number in range(12):
        world.speak(f"clip-{number}", samples=tone(200 + 10 * number, 0.3))
    world.config["corpora"]["aino"]["shards"] = 2
    world.config["corpora"]["aino-new"] = {"derived": {"of": "aino", "noise": {"snr_db": 9}}}
    world.config["datasets"] = {}
    settings = configuration.load(world.config)
    Path("work").mkdir()
    Path("work/settings.json").write_text(settings.model_dump_json())
    assert run(settings) == [12, 12]
    done = resharding.reshard("aino", 3, ["aino-new"])
    assert done.items["work/carry/augment/aino-new"] == 12
    assert not list(Path("data/segments").rglob("*.parquet")), "outputs are made of what was carried"
    assert run(settings) == [0, 0]
    assert sorted(path.stem for path in Path("data/segments/aino-new").glob("*.parquet")) == ["000", "001", "002"]
