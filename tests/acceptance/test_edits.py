"""Which places an edit has, and which of them ran."""

import importlib
import sys
import textwrap

import pytest

from kaiku.acceptance import edits
from kaiku.acceptance.edits import Edits, Watch
from kaiku.store import code, sources

CACHES = [value for of in (code, sources) for value in vars(of).values() if hasattr(value, "cache_clear")]

BEFORE = '''
import math

QUALITY = "HQ"
HALF = 0.5
STEP = HALF * 2


class Filter:
    order = 4

    def run(self, x):
        """What it does."""
        return x * self.order


def scaled(x, loud=False):
    y = x * HALF
    if loud:
        y = y + STEP
        y = y * 2
    return y if x > 0 else -y


def resampled(x, rate):
    if rate == 16000:
        return x
    return (x, QUALITY)
'''

EDITS = {
    # edit: (old, new, what is called, lines of the edited places that do not run)
    "comment": ("    y = x * HALF\n", "    y = x * HALF  # loudness\n", "scaled(1)", []),
    "docstring": ('"""What it does."""', '"""What it did."""', "scaled(1)", []),
    "a statement that runs": ("y = x * HALF", "y = HALF * x", "scaled(1)", []),
    "a statement that does not": ("y = y * 2", "y = 2 * y", "scaled(1)", ["y = 2 * y"]),
    "the same one when it does": ("y = y * 2", "y = 2 * y", "scaled(1, loud=True)", []),
    "a function that is not called": ("y = x * HALF", "y = HALF * x", "resampled(1, 16000)", ["y = HALF * x"]),
    "a branch of an expression": ("y if x > 0 else -y", "y if x > 0 else 0 - y", "scaled(1)", ["return y if x"]),
    "the branch when it runs": ("y if x > 0 else -y", "y if x > 0 else 0 - y", "scaled(-1)", []),
    "the other branch": ("y if x > 0 else -y", "+y if x > 0 else -y", "scaled(-1)", ["return +y if x"]),
    "a condition alone": ("y if x > 0 else -y", "y if 0 < x else -y", "scaled(1)", []),
    "a constant behind a branch": ('"HQ"', '"MQ"', "resampled(1, 16000)", ["return (x, QUALITY)"]),
    "the constant where it is read": ('"HQ"', '"MQ"', "resampled(1, 8000)", []),
    "a constant made of another": ("HALF = 0.5", "HALF = 1 / 2", "scaled(1)", ["y = y + STEP"]),
    "a field of a class": ("order = 4", "order = 2 + 2", "scaled(1)", ["return x * self.order"]),
    "that field, read": ("order = 4", "order = 2 + 2", "Filter().run(1)", []),
    "a default": ("loud=False", "loud=None", "scaled(1)", []),
    "a line taken out of a branch": ("        y = y * 2\n", "", "scaled(1, loud=True)", []),
    "a line taken out that led on": ("    y = x * HALF\n", "    y = x\n", "resampled(1, 8000)", ["y = x"]),
    "an import that nobody reads": ("import math\n", "import json\n", "scaled(1)", []),
}


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A module before and after an edit, as a new process would see it."""
    monkeypatch.syspath_prepend(str(tmp_path / "now"))
    monkeypatch.setattr(edits, "ROOT", tmp_path / "now")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(after):
        for folder, text in (("before", BEFORE), ("now", after)):
            path = tmp_path / folder / "editedstage" / "stage.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name("__init__.py").write_text("")
            path.write_text(text)
        for cached in CACHES:
            cached.cache_clear()
        importlib.invalidate_caches()
        sys.modules.pop("editedstage.stage", None)
        sys.modules.pop("editedstage", None)
        return importlib.import_module("editedstage.stage"), tmp_path / "before"

    yield write
    sys.modules.pop("editedstage.stage", None)
    sys.modules.pop("editedstage", None)
    for cached in CACHES:
        cached.cache_clear()


@pytest.mark.parametrize("old,new,call,silent", EDITS.values(), ids=EDITS)
def test_places_that_do_not_run_are_told(stage, old, new, call, silent):
    assert BEFORE.count(old) == 1
    after = BEFORE.replace(old, new)
    module, before = stage(after)
    found = Edits.of(["editedstage.stage"], before)
    places = [place for of_file in found.places.values() for place in of_file]
    watch = Watch(found.places)
    with watch.watching():
        eval(call, vars(module))
    lines = after.splitlines()
    assert [
        lines[place.first[0] - 1].strip()[: len(text)] for place, text in zip(watch.silent(places), silent)
    ] == silent
    assert len(watch.silent(places)) == len(silent)


def test_nothing_is_watched_after_the_block(stage):
    module, before = stage(BEFORE.replace("y = x * HALF", "y = HALF * x"))
    found = Edits.of(["editedstage.stage"], before)
    watch, (place,) = Watch(found.places), next(iter(found.places.values()))
    with watch.watching():
        pass
    module.scaled(1)
    assert watch.silent([place]) == [place] and str(place) == "editedstage/stage.py, line 18"


def test_a_new_file_is_an_edit_as_a_whole(stage, tmp_path):
    _, before = stage(BEFORE)
    (before / "editedstage" / "stage.py").unlink()
    found = Edits.of(["editedstage.stage"], before)
    text = textwrap.dedent(BEFORE)
    lines = {text.splitlines()[p.first[0] - 1].strip() for of_file in found.places.values() for p in of_file}
    assert {"return x * self.order", "y = y * 2", "return (x, QUALITY)", "return x"} <= lines


def test_a_data_file_is_told(stage, tmp_path):
    stage(BEFORE + '\nDATA_FILES = ("table.txt",)\n')
    for folder in ("before", "now"):
        (tmp_path / folder / "editedstage" / "table.txt").write_text(folder)
    found = Edits.of(["editedstage.stage"], tmp_path / "before")
    assert [path.name for path in found.data] == ["table.txt"]
    assert tmp_path / "now/editedstage/table.txt" in found.files_of("editedstage.stage")
