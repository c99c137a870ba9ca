from dataclasses import replace

import pytest

from kaiku.store import code, keys
from kaiku.store.keys import StageKey

KEY = StageKey("encode", {"width": 2, "name": "a"}, ("kaiku.audio.clips",), {"codec": "d1"})


def test_a_key_says_everything_that_a_result_depends_on():
    text = KEY.text()
    libraries = ",".join(f'"{n}":"{code.library_version(n)}"' for n in code.libraries("kaiku.audio.clips"))
    assert text == (
        f'{{"code":{{"kaiku.audio.clips":"{code.code_version("kaiku.audio.clips")}"}},"format":1,'
        f'"libraries":{{{libraries}}},"params":{{"name":"a","width":2}},"stage":"encode","weights":{{"codec":"d1"}}}}'
    )


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, stage="decode"),
        replace(KEY, params={"width": 3, "name": "a"}),
        replace(KEY, params={"width": 2.0, "name": "a"}),
        replace(KEY, params={"name": "a"}),
        replace(KEY, modules=()),
        replace(KEY, modules=("kaiku.audio.clips", "kaiku.audio.resample")),
        replace(KEY, weights={"codec": "d2"}),
        replace(KEY, weights={}),
    ],
)
def test_each_part_changes_every_item(other):
    assert other.text() != KEY.text()
    assert other.item("content") != KEY.item("content")


def test_order_of_parameters_is_no_difference():
    assert replace(KEY, params={"name": "a", "width": 2}).item("x") == KEY.item("x")


def test_swapped_values_are_a_difference():
    """Snakemake compares `params:` as a set of values without names."""
    one, other = StageKey("s", {"a": 1, "b": 2, "c": 2}, ()), StageKey("s", {"a": 1, "b": 1, "c": 2}, ())
    assert one.text() != other.text()


def test_inputs_count_one_by_one_and_in_order():
    found = [KEY.item(), KEY.item(""), KEY.item("a"), KEY.item("a", "b"), KEY.item("b", "a"), KEY.item("ab")]
    found += [KEY.item("a", ""), KEY.item("a\nb"), KEY.item("a b")]
    assert len(set(found)) == len(found)


def test_code_libraries_and_format_enter(monkeypatch):
    before = KEY.item("x")
    monkeypatch.setattr(code, "code_version", lambda module: "v99")
    other_code = replace(KEY).item("x")
    monkeypatch.setattr(code, "library_version", lambda name: "9.9")
    other_library = replace(KEY).item("x")
    monkeypatch.setattr(keys, "FORMAT", 2)
    assert len({before, other_code, other_library, replace(KEY).item("x")}) == 4


def test_a_parameter_that_is_no_number_is_refused():
    with pytest.raises(ValueError):
        StageKey("s", {"x": float("nan")}, ()).text()


def test_labelling_code_makes_tables_stale_and_no_item():
    from kaiku import stages
    from kaiku.settings import load

    key = stages.transcribe(load({"system": "x"}), "given")
    assert key.labelling == ("kaiku.text.normalise",)
    bare = replace(key, labelling=())
    assert "kaiku.text.normalise" in key.text() and key.text() != bare.text()
    assert key.item("a") == bare.item("a")
