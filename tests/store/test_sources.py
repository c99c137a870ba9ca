"""What sources say is kept for the next process, and never for a file that is not the one that was read."""

import os
import sys

import pytest

from kaiku.store import sources

LONG_AGO = 1e9


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sources, "_place", lambda: tmp_path / "__pycache__" / "sources.kept")
    monkeypatch.setattr(sources, "YOUNG_S", -1)
    forget()
    path = tmp_path / "stage.py"
    path.write_text("import json\nfrom . import near\nLIBRARIES = ('soxr',)\nrate = 16000\n")
    yield path
    forget()


def forget():
    """As a new process begins."""
    sources.source.cache_clear()
    sources._kept.cache_clear()
    sources._news.clear()


@pytest.fixture
def parsed(monkeypatch):
    """How often a syntax tree was built."""
    calls, parse = [], sources.ast.parse
    monkeypatch.setattr(sources.ast, "parse", lambda *args, **kwargs: calls.append(args) or parse(*args, **kwargs))
    return calls


def test_what_a_file_says(path):
    found = sources.source(path)
    assert found.imports == ((0, "json", ()), (1, "", ("near",))) and found.libraries == ("soxr",)


def test_the_next_process_builds_no_syntax_tree(path, parsed):
    first = sources.source(path)
    sources.keep()
    forget()
    assert sources.source(path) == first and len(parsed) == 1


def test_an_edit_of_equal_size_and_time_is_seen(path, parsed):
    first, stat = sources.source(path), path.stat()
    sources.keep()
    forget()
    path.write_text(path.read_text().replace("16000", "22050"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert sources.source(path).digest != first.digest and len(parsed) == 2


def test_a_file_that_was_just_written_is_not_kept(path, parsed, monkeypatch):
    monkeypatch.setattr(sources, "YOUNG_S", 60)
    os.utime(path, (LONG_AGO, LONG_AGO))
    for _ in range(2):
        sources.source(path)
        sources.keep()
        forget()
    assert len(parsed) == 2


def test_nothing_is_kept_where_python_keeps_no_bytecode(path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    sources.source(path)
    sources.keep()
    assert not sources._place().exists()


def test_an_installation_that_cannot_be_written_is_read_again(path, parsed):
    sources._place().parent.write_text("no folder")
    sources.source(path)
    sources.keep()
    forget()
    sources.source(path)
    assert len(parsed) == 2


def test_another_reader_trusts_nothing_of_this_one(path, parsed, monkeypatch):
    sources.source(path)
    sources.keep()
    forget()
    monkeypatch.setattr(sources, "__file__", str(path))
    sources.source(path)
    assert len(parsed) == 2
