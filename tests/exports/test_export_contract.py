"""The contract that every exports module fulfils: whatever file lies in the folder is tested here."""

import importlib
import inspect
import pkgutil

import pytest

import kaiku.exports
from kaiku.store import digest
from kaiku.strict import Strict

NAMES = [m.name for m in pkgutil.iter_modules(kaiku.exports.__path__) if not m.name.startswith("_")]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_there_are_exports():
    assert {"fish", "huggingface", "jsonl", "ljspeech"} <= set(NAMES)


def test_it_declares_itself(name):
    module = importlib.import_module(f"kaiku.exports.{name}")
    assert issubclass(module.Settings, Strict)
    module.Settings()  # every setting has a default
    assert all(field.description for field in module.Settings.model_fields.values())
    assert isinstance(module.LIBRARIES, tuple)
    assert {module.NEEDS_TEXT, module.TAKES_TOKENS} <= {True, False}
    assert list(inspect.signature(module.write).parameters) == ["clips", "about", "folder", "settings"]
    assert module.__doc__


def test_it_writes_the_same_bytes_each_time_and_the_licences(spoken, name):
    status, folder = spoken.export(name)
    assert status == 0
    assert (folder / "LICENCES").read_text().count("CC0-1.0") == 1
    first = digest.of_tree(folder)
    status, again = spoken.export(name, name="again")
    written = {path.relative_to(again).as_posix() for path in again.rglob("*") if path.is_file()}
    assert status == 0 and len(written) > 2
    assert all("out" not in path for path in written)
    # A card bears the export's name; all else is equal.
    assert digest.of_tree(again, leave_out=["README.md"]) == digest.of_tree(folder, leave_out=["README.md"])
    assert digest.of_tree(folder) == first


def test_all_clips_go_out_once(spoken, name):
    _, folder = spoken.export(name)
    audio = [path for path in folder.rglob("*") if path.suffix in (".wav", ".flac")]
    if not audio:
        import pyarrow.parquet as pq

        audio = [row for path in folder.rglob("*.parquet") for row in pq.read_table(path).to_pylist()]
    assert len(audio) == 8


def test_a_full_disk_leaves_nothing_half_written(spoken, name, monkeypatch, capsys):
    module, seen = importlib.import_module(f"kaiku.exports.{name}"), []
    write = module.write

    def full(clips, about, folder, settings):
        def until_full():
            for number, clip in enumerate(clips):
                if number == 3:
                    seen.append(sorted(path.name for path in folder.rglob("*")))
                    raise OSError(28, "No space left on device")
                yield clip

        write(until_full(), about, folder, settings)

    monkeypatch.setattr(module, "write", full)
    status, folder = spoken.export(name)
    assert status == 1 and "No space left on device" in capsys.readouterr().err
    assert seen and seen[0], "something was written by then"
    carry = spoken_carry()
    assert not folder.exists() and not [path for path in carry.rglob("*") if path.suffix in (".wav", ".part")]
    monkeypatch.undo()


def spoken_carry():
    from pathlib import Path

    return Path("work/carry/export")
