import importlib
import random

import pytest

from kaiku import plugins
from kaiku.layouts import audio_files
from kaiku.layouts._recognition import recognise

NAMES = sorted(plugins.known("layouts", ("kaiku",)))


def lay_out(name, root):
    importlib.import_module(f"kaiku.layouts.{name}").tiny(root)


@pytest.mark.parametrize("name", NAMES)
def test_each_tiny_corpus_is_its_own_layout(name, folder):
    lay_out(name, folder.root)
    first, *others = recognise(folder.files(), folder.read)
    assert first.layout == name and 0.5 <= first.share < 1
    assert [(guess.layout, guess.share) for guess in others] == ([] if name == "recordings" else [("recordings", 0)])
    assert not set(folder.opened) & set(audio_files(folder.files()))


@pytest.mark.parametrize("name", NAMES)
def test_neither_order_nor_a_folder_around_it_nor_hidden_files_change_the_guess(name, folder):
    lay_out(name, folder.root)
    expected = recognise(folder.files(), folder.read)
    hidden = [f"{path.rpartition('/')[0]}/._{path.rpartition('/')[2]}" for path in folder.files()]
    files = [*folder.files(), *hidden]
    random.Random(1).shuffle(files)
    assert recognise(files, folder.read) == expected
    outer = type(folder)(folder.root.parent)
    assert recognise(outer.files(), outer.read) == expected


def test_a_mixture_has_each_layout_with_its_share(folder):
    lay_out("ljspeech", folder.root / "lj")
    lay_out("wav_lab", folder.root / "mfa")
    folder.write({"mfa/SPK1/three.wav": b"", "mfa/SPK1/three.lab": "kolme"})
    assert [tuple(guess) for guess in recognise(folder.files(), folder.read)] == [
        ("wav_lab", 3 / 7, "finds the texts of 3 of 7 recordings"),
        ("ljspeech", 2 / 7, "finds the texts of 2 of 7 recordings"),
        ("recordings", 0, "takes the 7 recordings without texts"),
    ]


def test_audio_alone_are_recordings(folder):
    folder.write({"aino/a.mp3": b"", "notes.txt": "nothing"})
    assert [(guess.layout, guess.share) for guess in recognise(folder.files(), folder.read)] == [("recordings", 0)]


def test_no_audio_has_no_layout(folder):
    folder.write({"metadata.csv": "a|b\n"})
    assert recognise(folder.files(), folder.read) == []


def test_a_users_own_layout_is_tried_where_it_needs_no_settings(folder, tmp_path):
    own = "from kaiku.layouts import LayoutSettings, Recording, Span\nclass Settings(LayoutSettings):\n    {}\n"
    own += "PRECUT = True\n"
    own += "def discover(files, read, settings):\n    yield Recording('a', 'a.wav', '', '', (Span(None, None, 'x'),))\n"
    (tmp_path / "mine" / "layouts").mkdir(parents=True)
    (tmp_path / "mine" / "layouts" / "easy.py").write_text(own.format("pass"))
    (tmp_path / "mine" / "layouts" / "asking.py").write_text(own.format("must: str"))
    folder.write({"a.wav": b""})
    plugins.use_folders([tmp_path / "mine"])
    try:
        assert [guess.layout for guess in recognise(folder.files(), folder.read)] == ["easy", "recordings"]
    finally:
        plugins.use_folders([])
