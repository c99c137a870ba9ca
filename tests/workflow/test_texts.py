"""What texts cost through Snakemake: an edited word of a language makes nobody listen again."""

import pytest
from small_world import build, by_rule, copy_code

CLIPS, SHARDS = 8, 2
PACKING = ("select_segments", "pack_protos")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A small world up to its packs, with code of its own that a test may edit."""
    root = tmp_path_factory.mktemp("texts")
    code = copy_code(root / "code")
    made = build(root / "world", CLIPS, SHARDS, code)
    made.say("clip-00001", "3 kg lunta 50 % ajasta")
    made.snakemake(*made.packs)
    return made


def texts(world):
    from kaiku.store import tables

    paths = [world.root / f"data/transcripts/given/voice/{shard}.parquet" for shard in world.shard_names()]
    return {row["clip"]: row["text"] for path in paths for row in tables.transcripts(path).to_dict("records")}


def test_an_edited_word_of_a_language_fills_a_column_and_transcribes_nothing(world, tmp_path):
    assert "prosenttia" in texts(world)["clip-00001"] and not world.planned(*world.packs)
    words = world.code / "kaiku/text/languages/fi.toml"
    edited = words.read_text().replace('many = "prosenttia"', 'many = "sadasosaa"')
    assert edited != words.read_text()
    words.write_text(edited)
    planned = world.planned(*world.packs)
    assert set(planned) == {"transcribe_segments", *PACKING} and planned["transcribe_segments"] == SHARDS
    world.snakemake(*world.packs)
    assert "sadasosaa" in texts(world)["clip-00001"]
    for counts in world.counts("transcribe_segments").values():
        assert counts["computed"] == 0 and counts["failed"] == 0
    assert sum(counts["reused"] for counts in world.counts("transcribe_segments").values()) == CLIPS
    assert world.artefacts() == world.built_anew(tmp_path / "anew").artefacts()
    assert by_rule(world.planned_jobs(*world.packs)) == {}
