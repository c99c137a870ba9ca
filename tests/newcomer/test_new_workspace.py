"""What `make new` makes of a folder, without Snakemake: tests/workflow/test_new_workspace.py runs what it wrote."""

import io
import os
import shutil
import wave
from pathlib import Path

import numpy as np
import pytest
import yaml

from kaiku import plugins, settings
from kaiku.newcomer import base, configuration, survey
from workflow_scripts import new_workspace

FISH = Path(__file__).parents[1] / "fixtures/fish"


def write_wav(path, seconds=2.0, rate=16_000):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(bytes(2 * round(seconds * rate)))


def wav_lab(folder, clips=4, speakers=("SPK1", "SPK2")):
    for speaker in speakers:
        for number in range(clips):
            write_wav(folder / speaker / f"{number}.wav", 1.0 + number)
            (folder / speaker / f"{number}.lab").write_text("hei vaan\n")
    return folder


@pytest.fixture
def checkpoint(tmp_path):
    """A whole checkpoint of tiny random weights, with its codec of four codebooks."""
    folder = tmp_path / "models" / "OpenAudio S1 tiny"
    shutil.copytree(FISH / "model", folder)
    for name in ("codec.pth", "codec_config.yaml"):
        shutil.copy(FISH / "codec" / name, folder)
    return folder


@pytest.fixture
def new(tmp_path, capsys, monkeypatch):
    """Calls the program; gives its status, what it said, and the configuration it wrote."""
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def call(data, *options, name="aino", where=tmp_path / "new", language="fi", licence="own"):
        arguments = [f"--name={name}", f"--data={data}", f"--where={where}", *map(str, options)]
        arguments += (["--language", language] if language else []) + (["--licence", licence] if licence else [])
        status = new_workspace.main(arguments)
        said = capsys.readouterr()
        written = where / "config/config.yaml"
        config = yaml.safe_load(written.read_text(encoding="utf-8")) if written.exists() else None
        return status, said.out + said.err, config

    return call


def listed(folder):
    """Every file with its size, times and inode: what changes where anything is written."""
    found = [folder, *sorted(folder.rglob("*"))]
    return [(path, path.lstat().st_size, path.lstat().st_mtime_ns, path.lstat().st_ino) for path in found]


def test_a_folder_becomes_a_configuration_and_stays_as_it_is(tmp_path, new):
    data = wav_lab(tmp_path / "data")
    before = listed(data)
    status, said, config = new(data)
    assert status == 0 and listed(data) == before
    assert "8 recordings, 0.3 minutes; 8 with a text." in said and "Layout wav_lab" in said
    assert "2 speakers: SPK1 (4), SPK2 (4)." in said and "--cores all -n" in said
    corpus = {"path": str(data), "layout": "wav_lab", "language": "fi", "licence": "own"}
    assert config["corpora"] == {"aino": corpus} and "runs" not in config
    made = settings.load(config)
    assert made.datasets["aino-v1"].corpora == ("aino",)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"config", "Snakefile", ".gitignore", "profiles"}
    assert (tmp_path / "new/profiles/default/config.yaml").is_file()
    first, *_ = (tmp_path / "new/config/config.yaml").read_text().splitlines()
    schema = first.removeprefix("# yaml-language-server: $schema=file://")
    assert Path(schema).is_file()
    assert not [path for path in (tmp_path / "new").rglob("*") if path.suffix == ".wav"]


def test_a_base_and_tokens_beside_the_audio(tmp_path, new, checkpoint):
    data = tmp_path / "data"
    shutil.copytree(FISH / "codec/dataset", data / "SPK1")
    for path in data.rglob("*.wav"):
        path.with_suffix(".lab").write_text("hei\n")
    np.save(data / "SPK1/a.npy", np.zeros((4, 999), np.int64))
    status, said, config = new(data, "--base", checkpoint, licence="CC-BY-NC-4.0")
    assert status == 0
    assert "4 of 5 fit the base's codec and are adopted" in said
    assert "SPK1/a.npy has 999 frames" in said
    assert config["corpora"]["aino"]["tokens"] == {"codec": "openaudio", "verify": 1}
    made = settings.load(config)
    assert made.runs["aino-lora"].base == "openaudio-s1-tiny"
    assert made.bases["openaudio-s1-tiny"].licence == "CC-BY-NC-SA-4.0"
    text = (tmp_path / "new/config/config.yaml").read_text()
    assert text.count("# Not for commercial use: ") == 2


@pytest.mark.parametrize("layout", sorted(set(plugins.known("layouts")) - {"recordings"}))
def test_every_layout_that_finds_texts_is_recognised(tmp_path, new, layout):
    folder = tmp_path / "data"
    plugins.find("layouts", layout).tiny(folder)
    status, said, config = new(folder)
    assert status == 0 and config["corpora"]["aino"]["layout"] == layout
    assert "are no audio that can be read" in said, "the tiny ones hold no sound"
    settings.load(config)


def test_texts_may_be_called_txt(tmp_path, new):
    data = wav_lab(tmp_path / "data")
    for path in data.rglob("*.lab"):
        path.rename(path.with_suffix(".txt"))
    status, said, config = new(data)
    assert status == 0 and "8 with a text" in said and config["corpora"]["aino"]["layout"] == "wav_lab"


def test_recordings_without_texts_and_an_unknown_language(tmp_path, new):
    for number in range(3):
        write_wav(tmp_path / "data" / f"{number}.wav")
    status, said, config = new(tmp_path / "data", language="xx")
    assert status == 0 and config["corpora"]["aino"]["layout"] == "recordings"
    assert config["corpora"]["aino"]["speaker"] == "aino" and "No speaker is told" in said
    text = (tmp_path / "new/config/config.yaml").read_text()
    assert "3 of 3 recordings have no text" in text and "without rules for its numbers" in text


def test_rows_without_audio_and_audio_without_rows_are_counted_with_examples(tmp_path, new):
    data = tmp_path / "data"
    write_wav(data / "wavs/a.wav")
    write_wav(data / "wavs/b.wav")
    write_wav(data / "wavs/lonely.wav")
    rows = ["a|yksi", "b|kaksi", *(f"gone-{n}|poissa" for n in range(5))]
    (data / "metadata.csv").write_text("\n".join(rows) + "\n")
    status, said, _ = new(data)
    assert status == 0 and "Layout ljspeech" in said
    assert "6 things to look at" in said
    lines = [line for line in said.splitlines() if " x " in line]
    assert any(line.startswith("  5 x ") and line.count("metadata.csv") + line.count("gone-") >= 3 for line in lines), (
        lines
    )
    assert any(line.startswith("  1 x ") and "lonely.wav" in line for line in lines), lines


@pytest.mark.parametrize(
    "name", ["with space", "తెలుగు", "line\nbreak", 'quo\'te "and" \\ back', "käsi: {x} #1", "\x85nel"]
)
def test_any_name_of_a_folder_comes_back_from_the_configuration(tmp_path, new, name):
    data = wav_lab(tmp_path / name, clips=1, speakers=(f"SPK {name}",))
    status, said, config = new(data, f"--speaker={name}", licence=f"own {name}")
    assert status == 0, said
    own = config["corpora"]["aino"]
    assert (own["path"], own["speaker"], own["licence"]) == (str(data), name, f"own {name}")
    settings.load(config)


@pytest.mark.parametrize("name", ["2024", "2024-05-01", "no", "on", "null", "0x1f"])
def test_a_name_or_language_that_yaml_reads_as_something_else_is_quoted(tmp_path, new, checkpoint, name):
    base_folder = checkpoint.rename(tmp_path / name)
    status, said, config = new(wav_lab(tmp_path / "data", clips=1), "--base", base_folder, name=name, language="no")
    assert status == 0, said
    made = settings.load(config)
    assert (made.system, made.corpora[name].language, made.runs[f"{name}-lora"].base) == (name, "no", name)


def test_a_name_that_is_no_text_is_told_and_left_out(tmp_path, new):
    data = wav_lab(tmp_path / "data", clips=1)
    write_wav(Path(os.fsdecode(os.fsencode(data / "SPK1") + b"/\xff.wav")))
    status, said, _ = new(data)
    assert status == 0 and "has a name that is not UTF-8" in said and "2 recordings" in said


def test_broken_audio_is_counted_and_named(tmp_path, new):
    data = wav_lab(tmp_path / "data", speakers=("SPK1",))
    (data / "SPK1/0.wav").write_bytes(b"no sound")
    (data / "SPK1/1.wav").write_bytes(b"")
    status, said, _ = new(data)
    assert status == 0 and "2 are no audio that can be read" in said
    assert "SPK1/0.wav" in said and "SPK1/1.wav: 0 bytes" in said


def absent(folder):
    return "is not there"


def test_who_names_no_folder_is_told_so(new):
    status, said, config = new("")
    assert status == 1 and "DATA is not given" in said and config is None


def a_file(folder):
    folder.write_text("x")
    return "is a file"


def empty(folder):
    folder.mkdir()
    return "holds no files"


def dead_links(folder):
    folder.mkdir()
    (folder / "a.wav").symlink_to(folder / "gone.wav")
    return "holds no files but a.wav, which is a link that leads nowhere"


def no_audio(folder):
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.pdf").write_text("x")
    return "3 files, none of them audio (most are .pdf: 3)"


@pytest.mark.parametrize("make", [absent, a_file, empty, dead_links, no_audio])
def test_a_folder_without_recordings_is_refused_and_nothing_is_written(tmp_path, new, make):
    told = make(tmp_path / "data")
    status, said, config = new(tmp_path / "data")
    assert status == 1 and told in said and config is None and not (tmp_path / "new").exists()


def test_a_folder_that_may_not_be_read_is_said(tmp_path, new, monkeypatch):
    def refuse(root):
        raise PermissionError(13, "Permission denied", str(root / "locked"))

    monkeypatch.setattr("kaiku.store.scan.walk", refuse)
    (tmp_path / "data").mkdir()
    status, said, _ = new(tmp_path / "data")
    assert status == 1 and f"{tmp_path / 'data/locked'} cannot be read (Permission denied)" in said


@pytest.mark.parametrize("name", ["Aino", "my voice", "ääni", "", "-x", "a/b", "a\nb"])
def test_a_name_that_is_none_is_refused_with_one_that_is(tmp_path, new, name):
    status, said, config = new(wav_lab(tmp_path / "data"), name=name)
    assert status == 1 and "NAME=" in said and "Expected: lower-case letters" in said and config is None


def test_what_no_folder_tells_is_required_where_nobody_can_be_asked(tmp_path, new):
    data = wav_lab(tmp_path / "data")
    status, said, config = new(data, licence="")
    assert status == 1 and "LICENCE is not given" in said and "LICENCE=own" in said and config is None
    status, said, config = new(data, language="")
    assert status == 1 and "LANGUAGE is not given" in said and config is None
    status, said, config = new(data, language="finnish!")
    assert status == 1 and "LANGUAGE='finnish!'" in said and config is None


def test_at_a_terminal_it_is_asked(tmp_path, new, monkeypatch):
    answers = iter(["", "fi", "CC-BY-4.0"])

    class Terminal:
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    status, _, config = new(wav_lab(tmp_path / "data"), language="", licence="")
    assert status == 0
    assert (config["corpora"]["aino"]["language"], config["corpora"]["aino"]["licence"]) == ("fi", "CC-BY-4.0")


def test_a_workspace_is_never_overwritten_and_never_among_the_recordings(tmp_path, new):
    data = wav_lab(tmp_path / "data")
    assert new(data)[0] == 0
    before = listed(tmp_path / "new")
    status, said, _ = new(data, licence="CC0-1.0")
    assert status == 1 and "is a workspace already" in said and listed(tmp_path / "new") == before
    status, said, _ = new(data, where=data / "inside")
    assert status == 1 and "lies in the folder of the recordings" in said and not (data / "inside").exists()
    (tmp_path / "empty").mkdir()
    assert new(data, where=tmp_path / "empty")[0] == 0


def test_a_link_to_an_empty_folder_stays_and_is_filled(tmp_path, new):
    (tmp_path / "disk").mkdir()
    (tmp_path / "new").symlink_to(tmp_path / "disk")
    status, said, _ = new(wav_lab(tmp_path / "data"))
    assert status == 0, said
    assert (tmp_path / "new").is_symlink() and (tmp_path / "disk/config/config.yaml").is_file()


def test_a_path_may_begin_at_home(tmp_path, new, checkpoint, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    wav_lab(tmp_path / "data")
    status, said, config = new("~/data", f"--base=~/{checkpoint.relative_to(tmp_path)}", "--where=~/new")
    assert status == 0, said
    assert config["corpora"]["aino"]["path"] == str(tmp_path / "data") and not (tmp_path / "~").exists()
    assert config["bases"]["openaudio-s1-tiny"]["path"] == str(checkpoint)
    assert new("~nobody-of-this-name/data", where=tmp_path / "other")[0] == 1


def foreign(folder, **files):
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("_json", ".json").replace("_pth", ".pth")).write_text(text)
    return folder


def test_a_base_that_is_none_is_named_for_what_it_is(tmp_path, checkpoint):
    cases = {
        "which is Sesame's CSM": foreign(tmp_path / "csm", config_json='{"model_type": "csm"}'),
        "which is XTTS": foreign(tmp_path / "xtts", config_json='{"model": "xtts"}'),
        "the folder is empty": foreign(tmp_path / "empty"),
        "an adapter without the model": foreign(tmp_path / "lora", adapter_config_json="{}"),
        "a codec without a model": foreign(tmp_path / "codec", codec_pth="x"),
        "its config.json cannot be read": foreign(tmp_path / "torn", config_json='{"model'),
        "its config.json holds no JSON object": foreign(tmp_path / "list", config_json="[1]"),
        "model_type ['dual_ar']": foreign(tmp_path / "listed", config_json='{"model_type": ["dual_ar"]}'),
        "no config.json; it holds notes": foreign(tmp_path / "notes", notes="x"),
        "is not there": tmp_path / "nowhere",
        "a checkpoint of the S2 generation": foreign(
            tmp_path / "s2", config_json='{"model_type": "dual_ar", "tie_word_embeddings": true}'
        ),
    }
    for told, folder in cases.items():
        with pytest.raises(Exception, match="BASE=") as caught:
            base.recognise(folder)
        assert told in str(caught.value), (told, str(caught.value))
    for name, told in {"codec.pth": "codec.pth", "model.pth": "model.safetensors or model.pth"}.items():
        (checkpoint / name).rename(tmp_path / name)
        with pytest.raises(Exception, match=f"without {told}"):
            base.recognise(checkpoint)
        (tmp_path / name).rename(checkpoint / name)
    (checkpoint / "codec_config.yaml").rename(tmp_path / "aside.yaml")
    with pytest.raises(Exception, match="the model speaks 4 codebooks, its codec has 10"):
        base.recognise(checkpoint)
    (tmp_path / "aside.yaml").rename(checkpoint / "codec_config.yaml")
    assert base.recognise(checkpoint).geometry.codebook_sizes == (1088, 64, 64, 64), "as codec_config.yaml says"


def test_of_very_many_recordings_a_draw_is_looked_at(tmp_path, monkeypatch):
    data = wav_lab(tmp_path / "data", clips=40, speakers=("SPK1",))
    monkeypatch.setattr(survey, "LOOKED_AT", 10)
    found = survey.survey(data)
    assert found.looked_at == 10 and len(found.recordings) == 40
    assert found.outside(1.5, 100) == (4, 0), "one of the ten drawn is 1 s long"


def test_steps_go_with_the_amount_of_data():
    assert configuration.FEWEST_STEPS <= configuration.MOST_STEPS
    assert round(configuration.PASSES * 2000 / configuration.BATCH, -2) >= configuration.MOST_STEPS
