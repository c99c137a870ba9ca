"""What every layout promises, asked of each module in kaiku/layouts."""

import importlib
import pkgutil
import random
import re
import subprocess
import sys

import pytest

import kaiku.layouts
from kaiku.layouts import LayoutSettings, Problem, Recording

NAMES = [m.name for m in pkgutil.iter_modules(kaiku.layouts.__path__) if not m.name.startswith("_")]


@pytest.fixture(params=NAMES)
def layout(request):
    return importlib.import_module(f"kaiku.layouts.{request.param}")


@pytest.fixture
def found(layout, folder):
    layout.tiny(folder.root)
    return list(layout.discover(folder.files(), folder.read, layout.Settings()))


@pytest.fixture
def recordings(found):
    return [f for f in found if isinstance(f, Recording)]


SHIPPED = (
    *("cml_tts", "common_voice", "css10", "csv", "fleurs", "jsonl", "kathbath", "librispeech", "libritts", "ljspeech"),
    *("mls", "openslr66", "recordings", "tsv", "vctk", "wav_lab"),
)


def test_the_shipped_layouts_are_there():
    assert tuple(sorted(NAMES)) == SHIPPED


def test_shape(layout):
    assert isinstance(layout.PRECUT, bool)
    assert issubclass(layout.Settings, LayoutSettings)


def test_the_tiny_corpus_is_found_whole(found, recordings, folder):
    audio = kaiku.layouts.audio_files(folder.files())
    assert sorted(r.path for r in recordings) == audio and len(audio) >= 2
    assert any(r.texts for r in recordings) and not all(r.texts for r in recordings)
    assert all(isinstance(f, Recording | Problem) for f in found)


def test_ids_are_unique_and_safe(recordings):
    ids = [r.id for r in recordings]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[^\s/.\\]+", id) for id in ids)


def test_times_fit_the_kind(layout, recordings):
    spans = [span for r in recordings for span in r.texts]
    if layout.PRECUT:
        assert all(s.start_s is None and s.end_s is None for s in spans)
    else:
        assert all(s.start_s < s.end_s for s in spans)
    assert all(s.text.strip() for s in spans)


def test_neither_order_of_files_nor_a_second_look_changes_anything(layout, found, folder):
    files = folder.files()
    for seed in range(5):
        random.Random(seed).shuffle(files)
        assert list(layout.discover(files, folder.read, layout.Settings())) == found


def test_only_texts_are_opened(found, folder):
    assert folder.opened and not set(folder.opened) & set(kaiku.layouts.audio_files(folder.files()))


def test_corpus_speaker_and_language_reach_what_says_nothing_else(layout, found, folder):
    settings = layout.Settings(speaker="me", language="te")
    found = layout.discover(folder.files(), folder.read, settings)
    untold = [f for f in found if isinstance(f, Recording) and not f.texts]
    assert untold and all((f.speaker, f.language) == ("me", "te") for f in untold)


def test_hidden_files_are_not_there(layout, found, folder):
    for file in folder.files():
        path = folder.root / file
        path.with_name(f"._{path.name}").write_bytes(b"\x00\x05\x16\x07 not what it is called")
    assert list(layout.discover(folder.files(), folder.read, layout.Settings())) == found


def rewrite_texts(folder, change):
    """Change the bytes of every file that is no audio."""
    for file in set(folder.files()) - set(kaiku.layouts.audio_files(folder.files())):
        path = folder.root / file
        path.write_bytes(change(path.read_bytes()))
    folder.parsed.clear()


def test_byte_order_marks_and_carriage_returns_change_nothing(layout, found, folder):
    rewrite_texts(folder, lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"))
    assert list(layout.discover(folder.files(), folder.read, layout.Settings())) == found


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: b"\n \n",
        lambda data: random.Random(0).randbytes(300),
        lambda data: b'a,b\n"' + b"x" * 140_000,
        lambda data: b"\0\t|,\0\n" + data.replace(b"\t", b"\t\t").replace(b"|", b"||").replace(b",", b",,"),
        lambda data: data.decode().encode("utf-16")[:-1],
    ],
    ids=["empty", "blank", "noise", "open quote", "too many fields", "half a letter"],
)
def test_spoilt_texts_are_told_and_leave_the_recordings(layout, recordings, folder, change):
    rewrite_texts(folder, change)
    found = list(layout.discover(folder.files(), folder.read, layout.Settings()))
    assert [f.path for f in found if isinstance(f, Recording)] == [r.path for r in recordings]
    assert any(isinstance(f, Problem) for f in found)
    "".join(str(value) for f in found for value in vars(f).values()).encode()


def test_texts_without_their_audio_are_told(layout, found, recordings, folder):
    gone = next(r for r in recordings if r.texts)
    (folder.root / gone.path).unlink()
    left = list(layout.discover(folder.files(), folder.read, layout.Settings()))
    assert {f.path for f in left if isinstance(f, Recording)} == {r.path for r in recordings} - {gone.path}
    new = [f for f in left if isinstance(f, Problem) and f not in found and "speaker" not in f.what]
    assert len(new) == (0 if layout.__name__.endswith("libritts") else 1)


@pytest.mark.parametrize("name", NAMES)
def test_import_is_light(name):
    heavy = "torch transformers av soundfile librosa scipy pandas"
    code = f"import sys, kaiku.layouts.{name}; print([m for m in {heavy.split()!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
