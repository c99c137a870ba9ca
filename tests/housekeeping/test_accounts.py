"""A workspace's bytes by kind, each file counted once."""

import json
import os

import pytest

from kaiku.housekeeping import accounts, shown
from workflow_scripts import show_disk


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Some files of known size; the carried-over tokens are links to the outputs, one of them to an older state."""
    monkeypatch.chdir(tmp_path)
    sizes = {
        "data/raw/otso/a.wav": 1000,
        "data/tokens/env/otso/000.npy": 300,
        "data/tokens/env/otso/000.parquet": 70,
        "work/carry/encode/env/otso/000/attic": 25,
        "work/carry/encode/env/otso/000/g000001/rows.parquet": 60,
        "models/toy/checkpoints/step_000010/adapter.safetensors": 500,
        "models/codecs/env/encoder.safetensors": 40,
        ".snakemake/metadata/x": 5,
        "elsewhere/b": 10_000,
    }
    for name, size in sizes.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    os.link("data/tokens/env/otso/000.npy", "work/carry/encode/env/otso/000/g000001/data")
    os.symlink(tmp_path / "elsewhere", "data/raw/linked")
    return tmp_path


def test_each_kind_and_each_file_once(workspace):
    assert {a.kind: (a.files, a.bytes, a.linked) for a in accounts.accounts()} == {
        "recordings": (1, 1000, 0),
        "tokens": (2, 370, 0),
        "fitted codecs": (1, 40, 0),
        "checkpoints": (1, 500, 0),
        "attics": (1, 25, 0),
        "carried over": (1, 60, 300),
        "Snakemake's records": (1, 5, 0),
    }


def test_the_table_sums_up(workspace, capsys):
    assert show_disk.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].split() == ["together", "8", "2.0", "kB"]
    assert next(line for line in lines if line.startswith("tokens")).split() == [
        "tokens",
        "2",
        "370",
        "B",
        "18.5%",
        "0",
        "B",
    ]


def test_for_programs(workspace, capsys):
    assert show_disk.main(["--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sum(kind["bytes"] for kind in told["kinds"]) == 2000 and told["disk"] > told["free"] > 0


WORDS = {
    0: "0 B",
    999: "999 B",
    1000: "1.0 kB",
    99_940: "99.9 kB",
    999_499: "999 kB",
    999_500: "1.0 MB",
    17_300_000: "17.3 MB",
    5_000_000_000_000_000: "5000 TB",
}


@pytest.mark.parametrize("count,words", WORDS.items())
def test_sizes_in_words(count, words):
    assert shown.size(count) == words
