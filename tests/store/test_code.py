import ast
import importlib
import importlib.metadata
import sys

import pytest

from kaiku import stages
from kaiku.errors import KaikuError
from kaiku.store import code, sources
from kaiku.store.code import PLUMBING

CACHES = [value for of in (code, sources) for value in vars(of).values() if hasattr(value, "cache_clear")]

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
    sources._walk(tree, parts)
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
    path.write_text("# code.lock, format 1\na v1 00\n<<<<<<< HEAD\n")
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


PACKAGES = {
    name: {distribution.lower().replace("_", "-") for distribution in of}
    for name, of in importlib.metadata.packages_distributions().items()
}

HARMLESS = {
    "pydantic": "checks settings; their values enter keys by themselves",
    "safetensors": "reads and writes tensors bit for bit",
    "pyyaml": "reads sizes, which are checked against the tensors",
    "huggingface-hub": "a decorator of the configuration's class",
}
ELEMENTWISE = {
    # modules that only hold arrays, cut them, and calculate element by element as IEEE 754 says
    "kaiku.adoption",
    "kaiku.asr",
    "kaiku.asr.transformers_whisper",
    "kaiku.asr.whisper",
    "kaiku.audio.decode",
    "kaiku.audio.decoders",
    "kaiku.audio.flac",
    "kaiku.audio.notch",
    "kaiku.audio.resample",
    "kaiku.codecs",
    "kaiku.codecs.fish.codec",
    "kaiku.codecs.fish.encoding",
    "kaiku.codecs.mimi",
    "kaiku.exports",
    "kaiku.exports._audio",
    "kaiku.exports.fish",
    "kaiku.exports.huggingface",
    "kaiku.families",
    "kaiku.families.fish.family",
    "kaiku.families.fish.sequence",
    "kaiku.packing",
    "kaiku.selection.gates",
    "kaiku.store.protos",
    "kaiku.store.wire",
    "kaiku.synthesis",
    "kaiku.text.spoken",
    "kaiku.train.lora",
    "kaiku.train.merge",
}
ONLY_TINY = {"kaiku.asr._tiny_whisper"}  # makes random weights for tests


def third_party(member):
    """Distributions that a module of the project imports itself."""
    imports = sources.source(code.source(member)).imports
    names = {base.partition(".")[0] for dots, base, _ in imports if not dots}
    names -= {*sys.stdlib_module_names, "kaiku"}
    assert names <= PACKAGES.keys(), f"{member} imports what no distribution brings"
    return {sorted(PACKAGES[name])[0] for name in names}


@pytest.mark.parametrize("module", stages.computing_modules())
def test_libraries_that_change_numbers_are_named(module):
    """Every library of a closure is in its LIBRARIES, or it is known why its version cannot matter."""
    named, unnamed = set(code.libraries(module)), {}
    for member in code.closure(module):
        used = third_party(member) - named - HARMLESS.keys()
        if member in ELEMENTWISE:
            used -= {"numpy"}
        if used and member not in ONLY_TINY:
            unnamed[member] = used
    assert unnamed == {}


def test_no_named_library_is_unused():
    """A library that is named in vain makes everything stale when it is upgraded."""
    without_import = {"silero-vad", "speechmos"}  # their weights are read
    without_import |= {"accelerate", "scipy"}  # used by libraries that are imported
    without_import |= {"torch", "transformers"}  # used by the models that are handed in
    for module in stages.computing_modules():
        used = {name for member in code.closure(module) for name in third_party(member)}
        assert set(code.libraries(module)) - used <= without_import, module


@pytest.mark.parametrize("module", stages.computing_modules())
def test_nothing_is_read_or_imported_behind_the_digest(module):
    for member in code.closure(module):
        text = code.source(member).read_text()
        imported = {base for _, base, _ in sources.source(code.source(member)).imports}
        assert not imported & {"importlib", "importlib.resources", "pkgutil", "kaiku.plugins", "runpy"}, member
        assert "__file__" not in text or code.data_files(member), f"{member} reads beside itself: name it in DATA_FILES"


# --- data files


def test_a_declared_data_file_counts(package, tmp_path):
    package("filters.py", 'DATA_FILES: tuple[str, ...] = ("tables/order.txt",)\n')
    package("tables/order.txt", "4")
    assert code.data_files("fakestage.filters") == [tmp_path / "fakestage/tables/order.txt"]
    before, other = code.code_digest("fakestage.model"), code.code_digest("fakestage.user")
    package("tables/order.txt", "5")
    assert code.code_digest("fakestage.model") != before and code.code_digest("fakestage.user") == other
    package("tables/order.txt", "4")
    assert code.code_digest("fakestage.model") == before


def test_a_data_file_that_is_not_there(package):
    package("filters.py", 'DATA_FILES = ("order.txt",)\n')
    with pytest.raises(KaikuError, match=r"filters\.py: DATA_FILES names order\.txt, which is not there"):
        code.code_digest("fakestage.model")


# --- keys as they were


@pytest.fixture
def locked(package, tmp_path, monkeypatch):
    path = tmp_path / "code.lock"
    modules = ("fakestage.root", "fakestage.late")
    code.write_lock({module: ("v3", code.code_digest(module)) for module in modules}, path)
    monkeypatch.setattr(code, "read_lock", lambda: READ_LOCK(path))


def test_edited_modules_are_told_and_can_be_taken_as_they_were(locked, package):
    assert code.edited() == []
    package("root.py", "base = 7\n")
    package("late.py", "STEP = 6\n")
    assert code.edited() == ["fakestage.late", "fakestage.root"]
    now = {module: code.code_version(module) for module in code.edited()}
    assert all(version.startswith("v3+") for version in now.values())
    with code.as_locked():
        assert {code.code_version(module) for module in now} == {"v3"}
        assert code.code_version("fakestage.user").startswith("new+")
    with code.as_locked(besides="fakestage.late"):
        assert code.code_version("fakestage.root") == "v3"
        assert code.code_version("fakestage.late") == now["fakestage.late"]
    assert {module: code.code_version(module) for module in now} == now


def test_a_module_that_went_is_not_edited(locked, package, tmp_path):
    (tmp_path / "fakestage" / "root.py").unlink()
    forget()
    assert code.edited() == []


def test_the_lock_is_parsed_again_only_when_it_changed(tmp_path, monkeypatch):
    path = tmp_path / "code.lock"
    code.write_lock({"a": ("v1", "00")}, path)
    forget()
    first = code.read_lock(path)
    assert code.read_lock(path) is first
    with pytest.raises(TypeError):
        first["b"] = ("v1", "11")
    code.write_lock({"a": ("v2", "00")}, path)
    assert code.read_lock(path) == {"a": ("v2", "00")}
