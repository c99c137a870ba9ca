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


CHECKS = {"script": {}, "speech_rate": {}}


def with_text_checks(world, checks, **changed):
    config = world.config
    config["checks"] = {name: {} for name in ("duration", "level", "clipping", "speech", "hum", "crossings")} | checks
    world.configure({**config, **changed})


def measured(world, clip, measure):
    from kaiku.store import tables

    path = world.root / f"data/text_measures/given/voice/{world.shard(clip)}.parquet"
    found = tables.measures(path)
    return found.loc[(found["clip"] == clip) & (found["measure"] == measure), "value"].tolist()


def counted(world, rule, *what):
    found = world.counts(rule).values()
    return tuple(sum(counts[name] for counts in found) for name in what)


def test_checks_of_texts_cost_the_audio_nothing(world):
    with_text_checks(world, CHECKS)
    planned = world.planned(*world.packs)
    assert set(planned) == {"measure_texts", *PACKING}, "a check of texts is none of audio"
    world.snakemake(*world.packs)
    assert counted(world, "measure_texts", "computed", "reused", "failed") == (2 * CLIPS, 0, 0)
    assert measured(world, "clip-00001", "foreign_letters_share") == [0.0]


def test_one_edited_text_measures_one_text(world, tmp_path):
    with_text_checks(world, CHECKS)
    world.snakemake(*world.packs)
    world.say("clip-00002", "привет мир")
    assert set(world.planned(*world.packs)) == {"transcribe_segments", "measure_texts", *PACKING}
    world.snakemake(*world.packs)
    assert measured(world, "clip-00002", "foreign_script_share") == [1.0]
    shard = f"given.voice.{world.shard('clip-00002')}"
    assert world.counts("measure_texts")[shard]["computed"] == 2
    assert world.artefacts() == world.built_anew(tmp_path / "anew").artefacts()


def test_a_bound_on_a_text_measure_drops_its_clip(world):
    from kaiku.store import tables

    with_text_checks(world, CHECKS)
    world.say("clip-00003", "привет")
    config = world.config
    config["datasets"]["spoken"]["select"] = {"foreign_letters_share": {"max": 0.1}}
    world.configure(config)
    world.snakemake(*world.packs)
    path = world.root / f"data/selection/spoken/voice/{world.shard('clip-00003')}.parquet"
    reasons = tables.selection(path).set_index("clip")["reason"]
    assert reasons["clip-00003"] == "foreign_letters_share_high"


HEARING = '''"""Hears the given text, and takes one letter for another."""

from kaiku.asr import Transcript, given

NEEDS = "text"
LIBRARIES = ()
Settings = given.Settings


class Hearing(given.Given):
    def transcribe(self, clip):
        said = super().transcribe(clip)
        return Transcript(said.text_raw.replace("k", "g"), 0.5, said.language)


def load(settings, folder=None):
    return Hearing()
'''


def test_a_second_transcriber_and_a_model_that_knows_letters(world):
    from kaiku.checks import alignment

    plugin = world.root / "plugins/asr/hearing.py"
    plugin.parent.mkdir(parents=True, exist_ok=True)
    plugin.write_text(HEARING)
    (world.root / "models/given/ctc").mkdir(parents=True)
    alignment.tiny(world.root / "models/given/ctc")
    bases = {**world.config["bases"], "letters": {"path": "models/given/ctc", "licence": "CC0-1.0"}}
    checks = {
        **CHECKS,
        "agreement": {"asr": "heard"},
        "alignment": {"model": "letters", "device": "cpu"},
        "repetition": {},
    }
    with_text_checks(world, checks, asr={"heard": {"kind": "hearing"}}, bases=bases)
    world.say("clip-00004", "kivi ja kaiku kaiku")
    world.snakemake(*world.packs)
    assert set(world.counts("transcribe_segments")) == {
        f"{asr}.voice.{s}" for asr in ("given", "heard") for s in world.shard_names()
    }
    (cer,), (wer,) = (measured(world, "clip-00004", name) for name in ("disagreement_cer", "disagreement_wer"))
    assert cer == pytest.approx(5 / 19) and wer == 0.75
    (logprob,), (fits,) = (measured(world, "clip-00004", f"alignment_{name}") for name in ("logprob", "fits"))
    assert fits == 0.0 or logprob < -1, "random weights align nothing well"
    world.say("clip-00005", "toinen teksti")
    world.snakemake(*world.packs)
    shard = f"given.voice.{world.shard('clip-00005')}"
    assert world.counts("measure_texts")[shard]["computed"] == 5 and not world.planned(*world.packs)


def test_a_check_that_names_what_is_not_there(world):
    for checks, words in (
        ({"agreement": {"asr": "hurd"}}, "checks.agreement.asr: 'hurd' is not among the asr"),
        ({"alignment": {"model": "none"}}, "checks.alignment.model: 'none' is not among the bases"),
    ):
        with_text_checks(world, checks)
        done = world.snakemake("--dry-run", *world.packs, check=False)
        assert done.returncode and words in done.stdout + done.stderr
    config = world.config
    config["checks"] = {"duration": {}, "speech_rate": {}}
    world.configure(config)
    done = world.snakemake("--dry-run", *world.packs, check=False)
    assert "it counts seconds of speech, and nothing measures them" in done.stdout + done.stderr
