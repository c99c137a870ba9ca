import ast
import importlib
import sys

import pytest

from kaiku import stages
from kaiku.errors import KaikuError
from kaiku.store import code
from kaiku.store.code import PLUMBING

CACHES = [value for value in vars(code).values() if hasattr(value, "cache_clear")]

MODEL = '''"""What it is for."""

import json

from kaiku.errors import KaikuError  # plumbing
from fakestage.layers import width
from . import filters
from .deep.nested import helper as renamed

LIBRARIES = ("soxr", "numpy")
RATE = 16000
"""Hz."""


class Model:
    """A class."""

    def run(self, x: int, *, scale=1.5) -> str:
        """A method."""
        from fakestage import late

        "a text that stands alone"
        return f"{x!r:>{scale}} {late.STEP} {renamed(x)} {filters.order}"


def empty():
    """Nothing but words."""
'''

FILES = {
    "__init__.py": "VERSION = 1\n",
    "model.py": MODEL,
    "layers.py": "LIBRARIES: tuple[str, ...] = ('torch',)\nwidth = 3\n",
    "filters.py": "order = 4\n",
    "late.py": "STEP = 5\n",
    "deep/__init__.py": "",
    "deep/nested.py": "from ..root import base\n\ndef helper(x):\n    return base + x\n",
    "root.py": "base = 6\n",
    "unrelated.py": "anything = 7\n",
    "user.py": "from fakestage import VERSION\n",
    "loop_a.py": "import fakestage.loop_b\nA = 1\n",
    "loop_b.py": "import fakestage.loop_a\nB = 2\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """write(name, text): a file of the package `fakestage`, seen as a new process would see it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name, text):
        path = tmp_path / "fakestage" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        forget()

    for name, text in FILES.items():
        write(name, text)
    yield write
    forget()
    assert "fakestage" not in sys.modules, "code is read, never imported"


def forget():
    importlib.invalidate_caches()
    for cached in CACHES:
        cached.cache_clear()


def test_the_closure_follows_every_import_and_leaves_plumbing_out(package):
    names = ["deep.nested", "filters", "late", "layers", "model", "root"]
    assert code.closure("fakestage.model") == tuple(f"fakestage.{name}" for name in names)
    assert code.closure("fakestage.user") == ("fakestage", "fakestage.user")
    assert code.closure("fakestage.loop_a") == ("fakestage.loop_a", "fakestage.loop_b")
    assert code.closure("fakestage.unrelated") == ("fakestage.unrelated",)


@pytest.mark.parametrize("name", ["model.py", "layers.py", "filters.py", "late.py", "deep/nested.py", "root.py"])
def test_a_changed_line_anywhere_in_the_closure_changes_the_digest(package, name):
    before = code.code_digest("fakestage.model")
    package(name, FILES[name].replace("16000", "16001") if name == "model.py" else FILES[name] + "more = 1\n")
    assert code.code_digest("fakestage.model") != before
    package(name, FILES[name])
    assert code.code_digest("fakestage.model") == before


@pytest.mark.parametrize("name", ["unrelated.py", "__init__.py", "deep/__init__.py"])
def test_a_module_that_is_not_imported_does_not_count(package, name):
    before = code.code_digest("fakestage.model")
    package(name, FILES[name] + "more = 1\n")
    assert code.code_digest("fakestage.model") == before


NEUTRAL = {
    "module docstring": ('"""What it is for."""', '"""Something else."""'),
    "no module docstring": ('"""What it is for."""\n', ""),
    "class docstring": ('"""A class."""', "'Another.'"),
    "method docstring": ('        """A method."""\n', ""),
    "only docstring": ('"""Nothing but words."""', '"""Other words."""'),
    "text under a constant": ('"""Hz."""\n', '"""Samples a second."""\n'),
    "no text under a constant": ('"""Hz."""\n', ""),
    "text that stands alone": ('"a text that stands alone"', '"another"'),
    "comment": ("# plumbing", "# something else\n\n\n"),
    "formatting": ('("soxr", "numpy")', '(\n    "soxr",\n    "numpy",\n)'),
    "quotes": ('("soxr", "numpy")', "('soxr', \"num\" 'py')"),
    "number": ("16000", "16_000"),
    "prefix of a text": ('"numpy"', 'u"numpy"'),
    "line ends": ("\n", "\r\n"),
}


@pytest.mark.parametrize("old,new", NEUTRAL.values(), ids=NEUTRAL)
def test_what_means_the_same_has_the_same_digest(package, old, new):
    before = code.code_digest("fakestage.model")
    assert old in MODEL
    package("model.py", MODEL.replace(old, new))
    assert code.code_digest("fakestage.model") == before


MEANINGFUL = {
    "constant": ("16000", "16001"),
    "kind of number": ("scale=1.5", "scale=15e-1j"),
    "whole or real": ("16000", "16000.0"),
    "keyword only": ("x: int, *, scale", "x: int, scale"),
    "format": ("!r:>", "!s:>"),
    "name": ("renamed(x)", "renamed(self)"),
    "an import": ("import json\n", ""),
    "text in use": ('LIBRARIES = ("soxr", "numpy")', 'LIBRARIES = ("soxr", "numpy", "")'),
}


@pytest.mark.parametrize("old,new", MEANINGFUL.values(), ids=MEANINGFUL)
def test_what_means_something_else_has_another_digest(package, old, new):
    before = code.code_digest("fakestage.model")
    assert old in MODEL
    package("model.py", MODEL.replace(old, new))
    assert code.code_digest("fakestage.model") != before


def test_equal_files_of_other_names_count_as_other_code(package):
    package("twin.py", FILES["root.py"])
    assert code.code_digest("fakestage.twin") != code.code_digest("fakestage.root")


def test_an_empty_end_of_an_f_string_is_none():
    """Python 3.12 gives a nested format an empty text at its end, 3.11 and 3.13 do not."""
    nested = ast.parse('f"{x:>{w}}"')
    with_end = ast.parse('f"{x:>{w}}"')
    with_end.body[0].value.values[0].format_spec.values.append(ast.Constant(""))
    assert walked(nested) == walked(with_end)
    assert walked(ast.parse('f("")')) != walked(ast.parse("f()"))


def walked(tree):
    parts = []
    code._walk(tree, parts)
    return parts


def test_libraries_are_those_of_the_whole_closure(package):
    assert code.libraries("fakestage.model") == ("numpy", "soxr", "torch")
    assert code.libraries("fakestage.root") == ()


def test_versions_of_libraries_have_no_build_label(monkeypatch):
    monkeypatch.setattr(code.importlib.metadata, "version", lambda name: "2.9.1+cpu")
    forget()
    assert code.library_version("torch") == "2.9.1"
    forget()
    monkeypatch.undo()
    assert code.library_version("no-such-distribution") == "absent"


def test_a_module_that_is_not_there(package):
    with pytest.raises(KaikuError, match=r"Module fakestage\.nowhere has no source file"):
        code.code_digest("fakestage.nowhere")


# --- code.lock


def test_an_accepted_digest_is_its_version_and_any_other_itself(package, tmp_path, monkeypatch):
    lock = tmp_path / "code.lock"
    monkeypatch.setattr(code, "read_lock", lambda: READ_LOCK(lock))
    found = code.code_digest("fakestage.root")
    assert code.code_version("fakestage.root") == f"new+{found[:12]}"
    code.write_lock({"fakestage.root": ("v3", found), "a.b": ("v1", "00")}, lock)
    assert code.code_version("fakestage.root") == "v3"
    package("root.py", "base = 7\n")
    edited = code.code_digest("fakestage.root")
    assert code.code_version("fakestage.root") == f"v3+{edited[:12]}"


READ_LOCK = code.read_lock


def test_the_lock_round_trip(tmp_path):
    path, entries = tmp_path / "code.lock", {"b.c": ("v12", "ff" * 16), "a": ("v1", "00" * 16)}
    assert code.read_lock(path) == {}
    code.write_lock(entries, path)
    assert code.read_lock(path) == entries
    assert path.read_text().splitlines()[1:] == [f"a v1 {'00' * 16}", f"b.c v12 {'ff' * 16}"]
    once = path.read_bytes()
    code.write_lock(dict(reversed(entries.items())), path)
    assert path.read_bytes() == once


def test_a_lock_that_was_merged_badly_is_refused(tmp_path):
    path = tmp_path / "code.lock"
    path.write_text("# comment\na v1 00\n<<<<<<< HEAD\n")
    with pytest.raises(KaikuError, match=r"code\.lock, line 3: '<<<<<<< HEAD'\. Expected: module, version, digest"):
        code.read_lock(path)


# --- the tree's own modules


@pytest.mark.parametrize("module", stages.computing_modules())
def test_computing_modules_import_no_plumbing(module):
    closure = code.closure(module)
    assert module in closure
    allowed = {"kaiku.store.protos", "kaiku.store.wire"}  # packs are a format of their own: what they hold is a result
    rooms = ("kaiku.store", "kaiku.workspace", "kaiku.settings", "kaiku.job", "kaiku.stages", "kaiku.loading")
    assert [name for name in closure if name.startswith(rooms) and name not in allowed] == []
    assert not set(closure) & {*PLUMBING, "kaiku"}
    assert set(code.libraries(module)) == {name for member in closure for name in code.libraries(member)}
