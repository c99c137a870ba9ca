"""What a module's text says: the digest of its meaning, what it imports, which libraries it names.

Only the syntax tree knows, and building those of the whole project takes longer than a plan. So what was found is kept
beside Python's own bytecode, under the same condition: the file is the one that was read, by size, times and inode.
"""

import ast
import contextlib
import importlib.util
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kaiku.store import digest, statcache
from kaiku.store.statcache import Signature

YOUNG_S = 2.0
"""A file changed so lately may change again without a trace in its times; what it says is not kept."""

_SKIPPED_FIELDS = {"ctx", "kind", "type_comment", "type_ignores"}


@dataclass(frozen=True)
class Source:
    """What one file says.

    digest: of its syntax tree without docstrings and comments; imports: (dots, module, names) of each import, names
    empty for `import module`; libraries, data_files: what its constants `LIBRARIES` and `DATA_FILES` hold.
    """

    digest: str
    imports: tuple[tuple[int, str, tuple[str, ...]], ...]
    libraries: tuple[str, ...]
    data_files: tuple[str, ...]


@cache
def source(path: Path) -> Source:
    """What a file says."""
    found = statcache.signature(path)
    known = _kept().get(str(path))
    if known is not None and known[0] == found:
        return known[1]
    tree = ast.parse(path.read_bytes())
    own = digest.of_bytes(meaning(tree).encode())
    made = Source(own, tuple(_imports(tree)), _constant(tree, "LIBRARIES"), _constant(tree, "DATA_FILES"))
    _kept()[str(path)] = (found, made)
    _news.add(str(path))
    return made


def meaning(node: ast.AST) -> str:
    """A syntax tree as text without comments, docstrings and places: equal for what means the same."""
    parts: list[str] = []
    _walk(node, parts)
    return "\0".join(parts)


def is_text(node: ast.AST) -> bool:
    """Whether a statement is a text that stands alone, as docstrings do."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def keep() -> None:
    """Keep what was read since the last call for the next process, where Python may keep its bytecode too."""
    if not _news or sys.dont_write_bytecode:
        return
    _news.clear()
    settled = {path: entry for path, entry in _kept().items() if _is_settled(path, entry[0])}
    with contextlib.suppress(OSError):  # as Python does: an installation that cannot be written reads its sources again
        statcache.save(_place(), (statcache.signature(Path(__file__)), settled))


_news: set[str] = set()


@cache
def _kept() -> dict[str, tuple[Signature, Source]]:
    made_by, entries = statcache.load(_place()) or (None, {})
    return entries if made_by == statcache.signature(Path(__file__)) else {}


def _place() -> Path:
    return Path(importlib.util.cache_from_source(__file__)).with_suffix(".kept")


def _is_settled(path: str, found: Signature) -> bool:
    newest_ns = max(found[1:3])
    return newest_ns < time.time_ns() - YOUNG_S * 1e9 and statcache.signature(Path(path)) == found


def _imports(tree: ast.Module) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Imports anywhere in the text, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", tuple(alias.name for alias in node.names)


def _constant(tree: ast.Module, name: str) -> tuple[str, ...]:
    """The literal value of a constant at the top level of a text; empty where it has none."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if _annotated(node) else []
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return tuple(ast.literal_eval(node.value))
    return ()


def _annotated(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and node.value is not None


def _walk(node: object, parts: list[str]) -> None:
    if isinstance(node, ast.AST):
        parts.append(type(node).__name__)
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                value = [child for child in value if not _is_mute(child, node)]
            if value is None or value == [] or name in _SKIPPED_FIELDS:
                continue
            parts.append(name)
            _walk(value, parts)
        parts.append("/")
    elif isinstance(node, list):
        for child in node:
            _walk(child, parts)
    else:
        parts.append(repr(node))


def _is_mute(node: object, parent: ast.AST) -> bool:
    """Texts that stand alone (docstrings, also under a constant), and the empty end some Pythons give an f-string."""
    if isinstance(parent, ast.JoinedStr):
        return isinstance(node, ast.Constant) and node.value == ""
    return isinstance(node, ast.AST) and is_text(node)
