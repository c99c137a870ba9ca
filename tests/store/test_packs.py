import numpy as np
import pandas as pd
import pytest

from kaiku.errors import CorruptFile
from kaiku.store import artefacts, items, rows, tables
from kaiku.store.items import Item, Outcome
from kaiku.store.packs import SPLITS, read_packs, sentences, unencoded
from kaiku.store.protos import group_by_speaker, write_protos

CODES = {name: np.arange(first, first + 2 * frames, dtype=np.uint16).reshape(frames, 2) for name, first, frames in (
    ("a", 0, 3), ("b", 100, 1), ("c", 200, 5), ("d", 300, 2)
)}  # fmt: skip


@pytest.fixture
def shard(tmp_path):
    """Tokens of clips a to d and of one that broke; returns a function that writes a selection and packs a split."""
    token_rows, codes = tmp_path / "tokens" / "000.parquet", tmp_path / "tokens" / "000.npy"
    artefact = artefacts.tokens(token_rows, codes, 2, tmp_path / "carry")

    def encode(name):
        if name == "broken":
            raise ValueError("cannot be encoded")
        return Outcome([{}], [CODES[name].tobytes()])

    clips = [
        Item(name, f"key of {name}", name, lambda _, name=name: {"clip": name}) for name in (*sorted(CODES), "broken")
    ]
    counts = items.run(artefact, clips, items.each(encode), label="encode", max_failed=1)
    assert counts == items.Counts(computed=4, failed=1)

    def pack(split, *chosen):
        path = tmp_path / "selection.parquet"
        columns = ["clip", "speaker", "kept", "split", "text"]
        frame = pd.DataFrame(chosen, columns=columns).reindex(columns=artefacts.SELECTION.names)
        frame["kept"] = frame["kept"].astype(bool)
        tables.write_selection(path, frame)
        return list(sentences(path, token_rows, codes, split))

    pack.codes, pack.token_rows = codes, token_rows
    return pack


CHOSEN = [
    ("c", "aino", True, "train", "kolme"),
    ("a", "otso", True, "train", "yksi"),
    ("b", "aino", False, "train", "dropped"),
    ("broken", "aino", True, "train", "cannot be had"),
    ("unknown", "aino", True, "train", "was never encoded"),
    ("d", "aino", True, "val", "neljä"),
]


def test_kept_clips_without_tokens_are_counted(shard):
    shard("train", *CHOSEN)
    selection = shard.token_rows.parents[1] / "selection.parquet"
    assert [unencoded(selection, shard.token_rows, split) for split in SPLITS] == [2, 0, 0]


def test_kept_clips_of_a_split_come_in_the_order_of_the_selection(shard):
    found = {split: shard(split, *CHOSEN) for split in SPLITS}
    assert {split: [(s.speaker, s.text, s.codes.tolist()) for s in kept] for split, kept in found.items()} == {
        "train": [("aino", "kolme", CODES["c"].tolist()), ("otso", "yksi", CODES["a"].tolist())],
        "val": [("aino", "neljä", CODES["d"].tolist())],
        "test": [],
    }


def test_packs_are_read_in_the_order_given(shard, tmp_path):
    for split in SPLITS:
        write_protos(tmp_path / split, group_by_speaker("corpus", shard(split, *CHOSEN)))
    read = read_packs([tmp_path / "val", tmp_path / "train", tmp_path / "test"])
    assert [(s.speaker, s.text, s.codes.tolist()) for s in read] == [
        ("aino", "neljä", CODES["d"].tolist()),
        ("aino", "kolme", CODES["c"].tolist()),
        ("otso", "yksi", CODES["a"].tolist()),
    ]
    assert all(s.codes.dtype == np.uint16 for s in read)


def test_a_selection_that_keeps_nothing(shard):
    assert shard("train", *(row for row in CHOSEN if not row[2])) == []
    assert shard("train") == []


def test_rows_that_point_behind_the_codes_are_refused(shard):
    np.save(shard.codes, np.load(shard.codes)[:-1])
    with pytest.raises(CorruptFile, match=r"000\.npy: 10 rows, clip d at 9\.\.11"):
        shard("val", *CHOSEN)


def test_rows_say_where_the_codes_of_a_clip_lie(shard):
    found = rows.read(shard.token_rows, artefacts.TOKENS).to_pylist()
    assert [(row["clip"], row["first"], row["frames"]) for row in found] == [
        ("a", 0, 3),
        ("b", 3, 1),
        ("c", 4, 5),
        ("d", 9, 2),
        ("broken", -1, 0),
    ]
