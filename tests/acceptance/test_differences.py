"""How far two results are from each other, in numbers."""

import json
import math

import numpy as np
import pyarrow as pa

from kaiku.acceptance.differences import largest, of_artefacts, of_payloads, of_rows
from kaiku.audio.flac import encode_flac
from kaiku.store import rows
from kaiku.store.containers import Npy, Tar


def test_equal_rows_have_no_difference():
    line = {"a": 1.5, "b": None, "c": math.nan, "d": "x"}
    assert of_rows("here", [line], [dict(line)]) == []


def test_rows_tell_each_column_and_the_largest_distance():
    found = of_rows("here", [{"a": 1.5, "b": "x", "c": None}], [{"a": 1.25, "b": "y", "c": 2.0}])
    assert sorted(map(str, found)) == [
        "here: a is 1.25, stored is 1.5",
        "here: b is 'y', stored is 'x'",
        "here: c is 2.0, stored is None",
    ]
    assert largest(found) == 0.25 and math.isnan(largest([]))


def test_another_number_of_rows():
    assert [str(d) for d in of_rows("here", [{}], [{}, {}])] == ["here: 2 rows, stored are 1"]


def test_codes_differ_by_number_and_size():
    codes = np.arange(20, dtype="<u2")
    other = codes.copy()
    other[3] += 7
    found = of_payloads("here", Npy(2), codes.tobytes(), other.tobytes())
    assert found.size == 7 and str(found) == "here: 5.0% of its 20 numbers differ, by up to 7"
    assert (
        str(of_payloads("here", Npy(2), codes.tobytes(), codes[:4].tobytes())) == "here: [4] numbers, stored are [20]"
    )


def test_audio_differs_by_its_samples():
    quiet = np.zeros(400, np.float32)
    loud = quiet.copy()
    loud[7] = 0.5
    found = of_payloads("here", Tar(".flac"), encode_flac(quiet, 16000), encode_flac(loud, 16000))
    assert found.size == 0.5


def test_folders_differ_file_by_file(tmp_path):
    schema = rows.schema(("x", pa.float64()))
    for name, x, figures in (("stored", 1.0, {"loss": [1, 2]}), ("made", 1.5, {"loss": [1, 2.5]})):
        folder = tmp_path / name
        rows.write(folder / "sub" / "rows.parquet", rows.table([{"x": x}], schema))
        (folder / "figures.json").write_text(json.dumps(figures))
        (folder / "run.json").write_text(f'{{"seconds": {x}}}')
        (folder / "same.bin").write_bytes(b"same")
        (folder / "other.bin").write_bytes(name.encode())
    (tmp_path / "made" / "new.txt").write_text("")
    found = {d.what: d.size for d in of_artefacts(tmp_path / "stored", tmp_path / "made")}
    assert found.pop("x is 1.5, stored is 1.0") == 0.5
    assert found.pop("loss.1 is 2.5, stored is 2") == 0.5
    assert sorted(found) == ["other bytes", "was not made before"]
    assert of_artefacts(tmp_path / "stored", tmp_path / "stored") == []
