"""The version of computing code: its import closure, digested without comments and docstrings, against `code.lock`.

Snakemake does not see imported modules, and a file's times say nothing about its meaning. So the code that computes an
item has a digest: a walk over the syntax trees of the module and of every module of this project that it imports, equal
on every Python. `code.lock` names the accepted version of each digest: an accepted digest enters keys as that version,
any other enters as itself, so that an edit is stale at once and a neutral edit can be accepted without recomputation.
"""

import ast
import importlib.metadata
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import kaiku
from kaiku.errors import KaikuError
from kaiku.store import atomic, digest

LOCK = Path(kaiku.__file__).parent.parent / "code.lock"

PLUMBING = (
    "kaiku.errors",
    "kaiku.strict",
    "kaiku.progress",
    "kaiku.store.atomic",
    "kaiku.store.digest",
    "kaiku.store.owner",
    "kaiku.train.settings",
)
"""Modules that a computing module may import and that cannot change what it computes."""

_SKIPPED_FIELDS = {"ctx", "kind", "type_comment", "type_ignores"}


def code_version(module: str) -> str:
    """`v3` where the code is what `code.lock` accepted as version 3, else `v3+<digest>`; unlisted: `new+<digest>`."""
    version, locked = read_lock().get(module, ("new", ""))
    found = code_digest(module)
    return version if found == locked else f"{version}+{found[:12]}"


@cache
def code_digest(module: str) -> str:
    """Digest of a module and of every module of this project in its import closure."""
    return digest.of_value([[name, _file_digest(_source(name))] for name in closure(module)])


@cache
def closure(module: str) -> tuple[str, ...]:
    """Names of the module and the project modules it imports, directly or not, sorted; plumbing left out."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen or name in PLUMBING:
            continue
        seen.add(name)
        waiting.extend(_imports(name))
    return tuple(sorted(seen))


@cache
def libraries(module: str) -> tuple[str, ...]:
    """Distributions that the closure names in its `LIBRARIES` constants, sorted."""
    names: set[str] = set()
    for member in closure(module):
        for node in _tree(_source(member)).body:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if _annotated(node) else []
            if any(isinstance(t, ast.Name) and t.id == "LIBRARIES" for t in targets):
                names.update(ast.literal_eval(node.value))
    return tuple(sorted(names))


@cache
def library_version(distribution: str) -> str:
    """Installed version of a distribution without its local build label; `absent` where it is not installed."""
    try:
        return importlib.metadata.version(distribution).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def read_lock(path: Path = LOCK) -> dict[str, tuple[str, str]]:
    """`code.lock` as {module: (version, digest)}; empty where there is none."""
    if not path.exists():
        return {}
    entries = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if line and not line.startswith("#"):
            fields = line.split()
            if len(fields) != 3:
                raise KaikuError(
                    f"{path}, line {number}: {line!r}",
                    expected="module, version, digest",
                    remedy="Run `make lock-code`.",
                )
            entries[fields[0]] = (fields[1], fields[2])
    return entries


def write_lock(entries: dict[str, tuple[str, str]], path: Path = LOCK) -> None:
    """Write `code.lock`, sorted."""
    lines = ["# Computing modules: accepted version and digest of the import closure. `make lock-code` after a change."]
    lines += [f"{module} {version} {found}" for module, (version, found) in sorted(entries.items())]
    atomic.write_text(path, "\n".join(lines) + "\n")


@cache
def _file_digest(path: Path) -> str:
    parts: list[str] = []
    _walk(_tree(path), parts)
    return digest.of_bytes("\0".join(parts).encode())


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
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return isinstance(parent, ast.JoinedStr) and isinstance(node, ast.Constant) and node.value == ""


def _annotated(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and node.value is not None


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


@cache
def _source(module: str) -> Path:
    path = _find(module)
    if path is None:
        raise KaikuError(f"Module {module} has no source file", remedy="Name a module of the project or of `plugins:`.")
    return path


@cache
def _find(module: str) -> Path | None:
    """A module's file by its name alone: `find_spec` on a dotted name would import the parents, torch and all."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    if not spec.submodule_search_locations:
        return Path(spec.origin) if spec.origin and not rest else None
    for root in map(Path, spec.submodule_search_locations):
        for path in (root.joinpath(*rest, "__init__.py"), root.joinpath(*rest).with_suffix(".py")):
            if path.is_file():
                return path
    return None


def _imports(module: str) -> Iterator[str]:
    """Project modules that a module imports anywhere in its text, inside functions too."""
    top = module.partition(".")[0]
    path = _source(module)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _is_ours(alias.name, top))
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            if not _is_ours(base, top):
                continue
            for alias in node.names:
                child = f"{base}.{alias.name}"
                yield child if _find(child) else base


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parent = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parent, *([node.module] if node.module else [])])


def _is_ours(name: str, top: str) -> bool:
    return name.partition(".")[0] in ("kaiku", top)
