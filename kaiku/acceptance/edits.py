"""What was edited, place by place, and whether it ran: equal results say nothing about code that did not.

A place is a statement that was not there before, a branch of an expression in it, or a use of a name that a module or
class now binds otherwise. It ran when any of its instructions did. What was taken out leaves no place but the statement
that follows it.
"""

import ast
import sys
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import kaiku
from kaiku.store import code, sources

ROOT = Path(kaiku.__file__).parent.parent
_SILENT = (ast.Pass, ast.Global, ast.Nonlocal, ast.Break, ast.Continue, ast.Try, ast.ClassDef)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_INNER = ("body", "orelse", "finalbody", "handlers", "cases")
_HEADERS = {ast.If: "test", ast.While: "test", ast.For: "iter", ast.With: "items", ast.Match: "subject"}


@dataclass(frozen=True)
class Place:
    """A stretch of a file, first and last as (line, column)."""

    file: Path
    first: tuple[int, int]
    last: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}, line {self.first[0]}"


@dataclass(frozen=True)
class Edits:
    """What differs from the sources as they were locked: places by file, and data files, of which none can be told."""

    places: Mapping[Path, tuple[Place, ...]]
    data: frozenset[Path]

    @classmethod
    def of(cls, modules: Iterable[str], before: Path) -> "Edits":
        """Edits in the closures of some modules. before: folder of the sources as they were, laid out as these are."""
        members = sorted({member for module in modules for member in code.closure(module)})
        trees = {path: ast.parse(path.read_bytes()) for path in map(code.source, members)}
        places: dict[Path, list[Place]] = {path: [] for path in trees}
        rebound: set[str] = set()
        for path, tree in trees.items():
            earlier = before / path.relative_to(ROOT)
            for at_import, node, parts in _changed(ast.parse(earlier.read_bytes() if earlier.exists() else b""), tree):
                if at_import and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    rebound |= _bound(node)
                else:
                    places[path] += [_place(path, part) for part in parts]
        rebound = _with_what_follows(rebound, list(trees.values()))
        for path, tree in trees.items():
            places[path] += [_place(path, use) for use in _uses(tree, rebound)]
        data = set()
        for member in members:
            for path in code.data_files(member):
                earlier = before / path.relative_to(ROOT)
                if not earlier.exists() or earlier.read_bytes() != path.read_bytes():
                    data.add(path)
        return cls({path: tuple(dict.fromkeys(found)) for path, found in places.items() if found}, frozenset(data))

    def files_of(self, module: str) -> set[Path]:
        """Edited files of a module's closure."""
        files = {code.source(member) for member in code.closure(module)}
        data = {path for member in code.closure(module) for path in code.data_files(member)}
        return (files & self.places.keys()) | (data & self.data)


class Watch:
    """Notes which instructions of some files run."""

    def __init__(self, files: Iterable[Path]):
        self._files = {str(path) for path in files}
        self._seen: dict[CodeType, set[int]] = defaultdict(set)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note what runs within the block, in threads begun there too."""
        earlier = sys.gettrace()
        threading.settrace(self._enter)
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(earlier)
            threading.settrace(earlier)

    def silent(self, places: Iterable[Place]) -> list[Place]:
        """Places of which nothing ran."""
        ran: dict[str, list[tuple[tuple[int, int], tuple[int, int]]]] = defaultdict(list)
        for of, offsets in self._seen.items():
            positions = list(of.co_positions())
            for line, last_line, column, last_column in (positions[offset // 2] for offset in offsets):
                if None not in (line, last_line, column, last_column):
                    ran[of.co_filename].append(((line, column), (last_line, last_column)))
        return [p for p in places if not any(p.first <= a and b <= p.last for a, b in ran[str(p.file)])]

    def _enter(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in self._files:
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        seen = self._seen[frame.f_code]

        def step(frame: FrameType, event: str, _: Any) -> Any:
            if event == "opcode":
                seen.add(frame.f_lasti)
            return step

        return step


@dataclass(frozen=True)
class _Block:
    """The statements of a function, or of a module or class, which run at import; those of inner blocks among them."""

    name: str
    at_import: bool
    statements: tuple[ast.stmt, ...]


def _changed(old: ast.Module, new: ast.Module) -> Iterator[tuple[bool, ast.stmt, list[ast.AST]]]:
    """Statements of the new tree that the old one lacks, block by block; after what was taken out, the next one.

    With each, whether it runs at import, and what of it must run.
    """
    before = {block.name: block.statements for block in _blocks(old, "", True)}
    for block in _blocks(new, "", True):
        was = before.get(block.name, ())
        known = {sources.meaning(branch) for node in was for part in _parts(node) for branch in _branches(part)}
        earlier, now = [_text(node) for node in was], [_text(node) for node in block.statements]
        for kind, _, _, first, last in SequenceMatcher(None, earlier, now, autojunk=False).get_opcodes():
            found = block.statements[first:last]
            if kind == "delete":
                found = block.statements[first : first + 1] or block.statements[-1:]
            for node in found if kind != "equal" else ():
                parts = list(_parts(node))
                fresh = [b for part in parts for b in _branches(part) if sources.meaning(b) not in known]
                yield block.at_import, node, parts + fresh


def _blocks(parent: Any, name: str, at_import: bool) -> Iterator[_Block]:
    own: list[ast.stmt] = []
    inner: list[Any] = []

    def collect(nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            if isinstance(node, ast.stmt):
                if not sources.is_text(node):
                    own.append(node)
                if isinstance(node, _DEFINITIONS):
                    inner.append(node)
                    continue
            if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
                collect(ast.iter_child_nodes(node))

    collect(parent.body)
    yield _Block(name, at_import, tuple(own))
    for node in inner:
        yield from _blocks(node, f"{name}.{node.name}", isinstance(node, ast.ClassDef))


def _text(node: ast.stmt) -> str:
    """What a statement says, without the statements in it."""
    kept = {name: value for name, value in ast.iter_fields(node) if name not in _INNER}
    return sources.meaning(type(node)(**kept))


def _parts(node: ast.stmt) -> Iterator[ast.AST]:
    """What of a statement must run: itself or its head; of a function its first statement."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield next((child for child in node.body if not sources.is_text(child)), node)
    elif not isinstance(node, _SILENT) and not (isinstance(node, ast.AnnAssign) and node.value is None):
        head = getattr(node, _HEADERS.get(type(node), ""), node)
        for part in head if isinstance(head, list) else [head]:
            yield part.context_expr if isinstance(part, ast.withitem) else part


def _branches(node: ast.AST) -> Iterator[ast.AST]:
    """Parts of an expression that may not run though it does."""
    for child in ast.walk(node):
        if isinstance(child, ast.IfExp):
            yield from (child.body, child.orelse)
        elif isinstance(child, ast.BoolOp):
            yield from child.values[1:]
        elif isinstance(child, ast.Lambda):
            yield child.body


def _bound(node: ast.stmt) -> set[str]:
    """Names that a statement binds."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ClassDef):
        return {node.name}
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _with_what_follows(rebound: set[str], trees: Iterable[ast.Module]) -> set[str]:
    """The names, and those that are made of them when a module is imported."""
    blocks = [block for tree in trees for block in _blocks(tree, "", True) if block.at_import]
    statements = [node for block in blocks for node in block.statements]
    simple = [node for node in statements if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)]
    grown = rebound | {name for node in simple if any(_mentions(node, rebound)) for name in _bound(node)}
    return grown if grown == rebound else _with_what_follows(grown, trees)


def _uses(tree: ast.Module, names: set[str]) -> Iterator[ast.AST]:
    """Where functions read any of some names."""
    for block in _blocks(tree, "", True):
        for node in () if block.at_import else block.statements:
            for part in _parts(node):
                yield from _mentions(part, names)


def _mentions(node: ast.AST, names: set[str]) -> Iterator[ast.AST]:
    for child in ast.walk(node):
        name = child.id if isinstance(child, ast.Name) else child.attr if isinstance(child, ast.Attribute) else None
        if name in names and isinstance(child.ctx, ast.Load):
            yield child


def _place(path: Path, node: Any) -> Place:
    return Place(path, (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))
