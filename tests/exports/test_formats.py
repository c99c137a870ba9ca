"""What stands in each format, read back: by this project's own layouts, by sample counts, by the readers' rules."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from exported_world import RATE, corpus, tone

from kaiku import stages
from kaiku.audio.resample import resample
from kaiku.errors import SettingsError
from kaiku.exports import _names, _texts
from kaiku.exports._audio import levels_of
from kaiku.exports._held_out import held_out
from kaiku.store import digest, rows, tables
from kaiku.store.artefacts import TOKENS


def given(layout, folder, **options):
    """Text by recording as a layout of this project finds them in a folder; its problems."""
    import importlib

    from kaiku.layouts import Recording

    module = importlib.import_module(f"kaiku.layouts.{layout}")
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]

    def read(path, parse):
        return parse((folder / path).read_bytes())

    found = list(module.discover(files, read, module.Settings(speaker="", language="fi", **options)))
    recordings = [thing for thing in found if isinstance(thing, Recording)]
    return {Path(r.path).stem: (r.texts[0].text if r.texts else "", r.speaker) for r in recordings}


def kept():
    frame = tables.selection(Path("data/selection/all/aino/000.parquet"))
    return frame[frame["kept"]].set_index("clip")


# --- LJ Speech


def test_ljspeech_reads_back_by_our_own_layout_with_the_same_texts(spoken):
    _, folder = spoken.export("ljspeech")
    found = given("ljspeech", folder)
    wanted = {clip: " ".join(text.replace("|", " ").split()) for clip, text in kept()["text"].items()}
    assert {clip: text for clip, (text, _) in found.items()} == wanted
    raw = given("ljspeech", folder, column="text")
    assert raw["clip-1"][0] == "Tänään on 5. päivä" and found["clip-1"][0] != raw["clip-1"][0]


def test_ljspeech_splits_as_the_dataset_does_and_tells_durations(spoken):
    _, folder = spoken.export("ljspeech")
    whole, *parts = (
        (folder / f"metadata{split}.csv").read_text().splitlines() for split in ("", "_train", "_val", "_test")
    )
    assert sorted(line for part in parts for line in part) == sorted(whole) and [len(p) for p in parts] == [6, 1, 1]
    durations = json.loads((folder / "duration.json").read_text())
    for name, seconds in durations.items():
        info = soundfile.info(folder / "wavs" / f"{name}.wav")
        assert (info.samplerate, info.channels, info.subtype) == (22_050, 1, "PCM_16")
        assert info.frames == len(resample(tone(300, 0.5), RATE, 22_050))
        assert seconds == pytest.approx(info.frames / 22_050, abs=1e-6)
    assert len(durations) == 8


def test_a_dataset_that_holds_nothing_out_is_divided_by_recordings(world):
    world.config["datasets"]["all"]["split"] = {"val": 0}
    for number in range(20):
        world.speak(f"clip-{number:02d}")
    world.make()
    _, folder = world.export("ljspeech")
    train, val = ((folder / f"metadata_{split}.csv").read_text().splitlines() for split in ("train", "val"))
    assert (len(train), len(val)) == (18, 2) and not set(train) & set(val)


def test_held_out_recordings_are_whole_few_and_never_all():
    hundred = {("aino", str(n)): 1.0 for n in range(100)}
    assert len(held_out(hundred, 0.1)) == 10
    assert held_out(hundred, 0.1) == held_out(dict(reversed(hundred.items())), 0.1)
    assert len(held_out({("a", "1"): 5.0, ("a", "2"): 5.0}, 0.1)) == 1
    assert held_out({("a", "1"): 5.0}, 0.1) == frozenset() == held_out(hundred, 0)
    long = {("a", "long"): 100.0, **{("a", str(n)): 1.0 for n in range(50)}}
    assert sum(long[recording] for recording in held_out(long, 0.1)) < 40


# --- others


def test_jsonl_reads_back_by_our_own_layout(spoken):
    options = {"audio_field": "audio_filepath", "language_field": "lang"}
    _, folder = spoken.export("jsonl", options=options)
    assert given("jsonl", folder) == {clip: (row.text, "aino") for clip, row in kept().iterrows()}
    lines = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert {line["split"] for line in lines} == {"train", "val", "test"}
    assert {(line["licence"], line["lang"], line["duration"]) for line in lines} == {("CC0-1.0", "fi", 0.5)}
    assert {soundfile.info(folder / line["audio_filepath"]).samplerate for line in lines} == {24_000}


def test_fish_reads_back_by_our_own_layout_split_by_split(spoken):
    status, folder = spoken.export("fish", speakers={"aino": "SPK1"})
    assert status == 0
    for split, frame in kept().groupby("split"):
        assert given("wav_lab", folder / split) == {clip: (row.text, "SPK1") for clip, row in frame.iterrows()}
    assert not list(folder.rglob("*.npy"))


@pytest.mark.parametrize("audio", ["flac", "wav"])
def test_parquet_has_types_splits_and_the_samples(spoken, audio):
    import io

    _, folder = spoken.export("huggingface", options={"audio": audio})
    names = sorted(path.name for path in (folder / "data").iterdir())
    assert names == [f"{split}-00000-of-00001.parquet" for split in ("test", "train", "validation")]
    table = pq.read_table(folder / "data/train-00000-of-00001.parquet")
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["audio"] == {"_type": "Audio"} and list(features) == table.column_names
    for row in table.to_pylist():
        samples, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
        original, _ = soundfile.read(f"raw/aino/{row['clip']}.wav", dtype="float32")
        assert rate == RATE and np.array_equal(samples, original) and row["duration"] == 0.5


def test_large_parquet_is_cut_into_numbered_files(spoken, monkeypatch):
    from kaiku.exports import huggingface

    monkeypatch.setattr(huggingface, "GROUP_BYTES", 1)
    monkeypatch.setattr(huggingface._Split, "most", property(lambda self: 1, lambda self, value: None), raising=False)
    _, folder = spoken.export("huggingface")
    files = sorted((folder / "data").glob("train-*"))
    assert [path.name for path in files] == [f"train-{n:05d}-of-00006.parquet" for n in range(6)]
    assert sum(pq.read_metadata(path).num_rows for path in files) == 6


def test_the_card_tells_licences_and_what_is_not_for_re_hosting(spoken):
    import yaml

    _, folder = spoken.export("huggingface")
    front = yaml.safe_load((folder / "README.md").read_text().split("---")[1])
    assert front["license"] == "cc0-1.0" and front["language"] == ["fi"]
    patterns = {f["split"]: f["path"] for f in front["configs"][0]["data_files"]}
    assert patterns == {split: f"data/{split}-*.parquet" for split in ("train", "validation", "test")}
    assert "re-hosting" not in (folder / "README.md").read_text()
    spoken.config["corpora"]["aino"]["licence"] = "own"
    _, folder = spoken.export("huggingface")
    said = (folder / "README.md").read_text()
    assert "**Not for re-hosting**: aino (own)" in said and yaml.safe_load(said.split("---")[1])["license"] == "other"


def test_audiofolder_has_its_metadata_beside_the_files(spoken):
    _, folder = spoken.export("huggingface", options={"form": "audiofolder", "audio": "wav"})
    lines = [json.loads(line) for line in (folder / "data/train/metadata.jsonl").read_text().splitlines()]
    assert len(lines) == 6 and all((folder / "data/train" / line["file_name"]).is_file() for line in lines)


# --- what all share


def test_a_peak_above_full_scale_is_turned_down_and_noted(world, capsys):
    world.speak("loud", samples=2.5 * tone(300, 0.5, level=1.0))
    world.speak("calm")
    world.make()
    _, folder = world.export("jsonl", options={"sample_rate": None})
    assert (folder / "turned_down.tsv").read_text() == "clip\tgain_db\nloud\t-7.96\n"
    samples, _ = soundfile.read(folder / "audio/loud.wav", dtype="float32")
    assert 0.99 < np.abs(samples).max() <= 32767 / 32768
    original, _ = soundfile.read("raw/aino/loud.wav", dtype="float32")
    assert np.abs(samples - original * 10 ** (-7.96 / 20)).max() < 2e-5, "nothing is clipped"


def test_sixteen_bits_come_back_exactly():
    levels = np.array([-32768, -32767, -1, 0, 1, 32767], np.int16)
    found, gain_db = levels_of(levels.astype(np.float32) / 32768)
    assert np.array_equal(found, levels) and gain_db == 0
    found, gain_db = levels_of(np.array([1.0, -1.0, 0.5], np.float32))
    assert gain_db == -0.01 and found.max() <= 32767


def test_clips_of_one_name_in_two_corpora_stay_apart_with_their_licences(world, capsys):
    world.config["corpora"]["otso"] = corpus("otso", "CC-BY-NC-4.0")
    world.config["datasets"]["all"]["corpora"] = ["aino", "otso"]
    for name in ("aino", "otso"):
        world.speak("same", f"sana {name}", samples=tone(300 if name == "aino" else 400, 0.5), corpus=name)
    world.make()
    capsys.readouterr()
    _, folder = world.export("ljspeech")
    assert {path.stem for path in (folder / "wavs").iterdir()} == {"aino_same", "otso_same"}
    assert "Not for commercial use: corpus otso is under CC-BY-NC-4.0" in capsys.readouterr().err
    said = (folder / "LICENCES").read_text()
    assert "aino: CC0-1.0" in said and "otso: CC-BY-NC-4.0" in said and "Not for commercial use" in said


def two_corpora(world, speaker):
    """Two corpora with a clip each, of a speaker of one name."""
    for name in ("aino", "otso"):
        world.config["corpora"][name] = corpus(name, "own") | {"speaker": speaker}
        world.speak(f"by-{name}", samples=tone(300 if name == "aino" else 400, 0.5), corpus=name)
    world.config["datasets"]["all"]["corpora"] = ["aino", "otso"]
    world.make()


def test_two_people_of_one_name_are_two_voices(world):
    two_corpora(world, "p225")
    _, folder = world.export("fish")
    assert {path.name for path in (folder / "train").iterdir()} == {"aino_p225", "otso_p225"}
    _, folder = world.export("fish", speakers={"otso/p225": "SPK2"})
    assert {path.name for path in (folder / "train").iterdir()} == {"aino_p225", "SPK2"}
    _, folder = world.export("jsonl", speakers={"p225": "one"})
    speakers = [json.loads(line)["speaker"] for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert speakers == ["one", "one"], "who gives both one name says that they are one"


def test_another_name_for_nobody_is_told(spoken, capsys):
    spoken.export("jsonl", speakers={"anio": "SPK1", "otso/aino": "SPK2", "aino/aino": "SPK3"})
    said = capsys.readouterr().err
    assert "exports.out.speakers.anio: no clip of the export is of that speaker; did you mean 'aino'?" in said
    assert "speakers.otso/aino: no clip" in said and "speakers.aino/aino" not in said


def test_clips_without_tokens_are_counted(spoken, capsys):
    spoken.config["bases"] = {"env": {"path": "x", "licence": "own"}}
    spoken.config["codecs"] = {"env": {"kind": "env", "base": "env"}}
    clips = [f"clip-{number}" for number in range(6)]
    own = {"key": "k", "status": "ok", "frames": 1}
    table = [{**own, "item": clip, "clip": clip, "first": first} for first, clip in enumerate(clips)]
    table[0]["status"] = table[1]["status"] = "failed"
    path = Path("data/tokens/env/aino/000.parquet")
    rows.write(path, rows.table(table, TOKENS))
    np.save(path.with_suffix(".npy"), np.zeros((6, 2), "<u2"))
    _, folder = spoken.export("fish", codec="env")
    assert "4 kept clips have no tokens of env and are left out" in capsys.readouterr().err
    assert {path.stem for path in folder.rglob("*.npy")} == set(clips[2:])


def test_no_clip_kept_is_told(world, capsys):
    world.config["datasets"]["all"]["select"] = {"duration_s": [9, 10]}
    world.speak("short")
    world.make()
    status, folder = world.export("ljspeech")
    assert status == 1 and not folder.exists()
    assert "dataset all: no clip is kept in train or val or test" in capsys.readouterr().err


def test_some_splits_only(spoken):
    _, folder = spoken.export("jsonl", splits=["val"])
    assert [json.loads(line)["split"] for line in (folder / "metadata.jsonl").read_text().splitlines()] == ["val"]


def test_the_same_content_is_not_written_again(spoken, capsys):
    spoken.export("jsonl")
    _, folder = spoken.export("jsonl")
    assert "computed 0, reused 1" in capsys.readouterr().err
    first = digest.of_tree(folder)
    spoken.config["corpora"]["aino"]["licence"] = "CC-BY-4.0"
    spoken.export("jsonl")
    assert "computed 1, reused 0" in capsys.readouterr().err
    assert digest.of_tree(folder) != first
    kept = [path for path in Path("work/carry/export/out").iterdir() if path.is_dir()]
    assert len(kept) == 1, "an export is as large as the audio: the one before is not kept"


def test_code_that_says_something_else_writes_again(spoken, capsys, monkeypatch):
    corrected("clip-1", "Huomenna on 6. päivä")
    spoken.export("ljspeech")
    monkeypatch.setattr(_names, "safe", lambda text: f"x-{text}")
    _, folder = spoken.export("ljspeech")
    assert "computed 1, reused 0" in capsys.readouterr().err
    assert all(line.startswith("x-clip") for line in (folder / "metadata.csv").read_text().splitlines())
    monkeypatch.setattr(_texts, "normalise", lambda text, language: "toisin")
    _, folder = spoken.export("ljspeech")
    assert given("ljspeech", folder)["x-clip-1"][0] == "toisin"
    capsys.readouterr()
    monkeypatch.setattr(_texts, "normalise", lambda text, language: "toisin".lower())
    spoken.export("ljspeech")
    assert "computed 0, reused 1" in capsys.readouterr().err, "another way to the same"


def test_the_rule_is_told_of_the_code_that_says_names_and_texts(spoken):
    spoken.export("ljspeech")
    code = json.loads(stages.export(spoken.settings, "out").text())["code"]
    assert {"kaiku.exports._names", "kaiku.exports._texts"} <= code.keys()


@pytest.mark.parametrize(
    "own, told",
    [
        ({"format": "ljspech"}, "did you mean 'ljspeech'"),
        ({"format": "jsonl", "codec": "env"}, "jsonl holds no tokens"),
        ({"format": "ljspeech", "dataset": "al"}, "did you mean 'all'"),
        ({"format": "ljspeech", "options": {"rate": 16000}}, "exports.out.options"),
        ({"format": "ljspeech", "splits": []}, "splits"),
    ],
)
def test_what_means_nothing_is_refused(world, own, told):
    world.config["bases"] = {"env": {"path": "x", "licence": "own"}}
    world.config["codecs"] = {"env": {"kind": "env", "base": "env"}}
    world.config["exports"] = {"out": {"dataset": "all", **own}}
    with pytest.raises(SettingsError) as refused:
        assert world.settings
    assert told in str(refused.value)


def test_a_dataset_without_text_is_no_ljspeech(world):
    world.config["datasets"]["all"]["require_text"] = False
    world.config["exports"] = {"out": {"dataset": "all", "format": "ljspeech"}}
    with pytest.raises(SettingsError, match="ljspeech needs a text for each clip"):
        assert world.settings


def corrected(clip, text):
    """Another final text of a clip, as a review leaves it in the selection."""
    path = Path("data/selection/all/aino/000.parquet")
    frame = tables.selection(path)
    frame.loc[frame["clip"] == clip, "text"] = text
    tables.write_selection(path, frame)


def test_a_corrected_text_is_its_own_raw_form(spoken):
    corrected("clip-1", "Huomenna on 6. päivä")
    _, folder = spoken.export("ljspeech")
    raw, normalised = given("ljspeech", folder, column="text")["clip-1"][0], given("ljspeech", folder)["clip-1"][0]
    assert raw == "Huomenna on 6. päivä" and normalised.startswith("Huomenna on ") and "6" not in normalised


def heard_as(clip, language):
    """A clip's text in another language, as a transcriber may have heard it."""
    path = Path("data/transcripts/given/aino/000.parquet")
    frame = tables.transcripts(path)
    frame.loc[frame["clip"] == clip, "language"] = language
    tables.write_transcripts(path, frame)


def test_a_corrected_text_is_normalised_in_the_language_that_was_heard(spoken, capsys):
    corrected("clip-1", "16 kpl")
    for language, word in (("pt", "dezesseis"), (None, "kuusitoista")):
        heard_as("clip-1", language)
        _, folder = spoken.export("ljspeech")
        assert given("ljspeech", folder)["clip-1"][0].startswith(word)
    heard_as("clip-2", "pt")
    spoken.export("ljspeech")
    assert "computed 0, reused 1" in capsys.readouterr().err, "a text that nobody changed is as it was transcribed"


def test_a_text_that_was_emptied_is_told(spoken, capsys):
    corrected("clip-1", " ")
    status, folder = spoken.export("ljspeech")
    assert status == 1 and not folder.exists()
    assert "clip clip-1 of aino has no text" in capsys.readouterr().err
    assert spoken.export("jsonl")[0] == 0, "where a text is no condition, it may be empty"


def test_clips_derived_from_a_drawn_recording_are_left_out_of_both(tmp_path):
    from kaiku.exports import About, Corpus, ExportClip, ljspeech

    def clip(number, derived):
        return ExportClip(
            name=f"{number}-{derived}",
            corpus="aino-slow" if derived else "aino",
            clip=str(number),
            recording=("aino", str(number)),
            derived=derived,
            speaker="aino",
            language="fi",
            licence="own",
            split="train",
            text="sana",
            text_raw="sana",
            text_normalised="sana",
            read=lambda rate: (np.zeros(100, np.float32), rate),
            turned_down=lambda name, gain_db: None,
        )

    clips = [clip(number, derived) for derived in (False, True) for number in range(10)]
    recordings = {("aino", str(number)): 1.0 for number in range(10)}
    about = About("out", "all", (Corpus("aino", "fi", "own"),), {"train": 20}, {"train": 20.0}, recordings)
    ljspeech.write(iter(clips), about, tmp_path, ljspeech.Settings(val=0.3))
    train, val = ((tmp_path / f"metadata_{split}.csv").read_text() for split in ("train", "val"))
    held = {line.partition("-")[0] for line in val.splitlines()}
    assert len(held) == 3 and "True" not in val
    assert len(train.splitlines()) == 14 and not held & {line.partition("-")[0] for line in train.splitlines()}
    assert len(list((tmp_path / "wavs").iterdir())) == 17


def test_two_fields_of_one_name_are_refused():
    from kaiku.exports import jsonl

    with pytest.raises(ValueError, match="two fields would be called text"):
        jsonl.Settings(audio_field="text")
