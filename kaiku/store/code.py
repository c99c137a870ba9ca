"""The version of computing code: its import closure, digested without comments and docstrings, against `code.lock`.

Snakemake does not see imported modules, and a file's times say nothing about its meaning. So the code that computes an
item has a digest: a walk over the syntax trees of the module and of every module of this project that it imports, equal
on every Python, and the bytes of the data files that they declare. `code.lock` names the accepted version of each
digest: an accepted digest enters keys as that version, any other enters as itself, so that an edit is stale at once and
a neutral edit can be accepted without recomputation.

A module declares what its imports do not tell, as literal tuples at its top level: `LIBRARIES`, the distributions whose
version changes its numbers, and `DATA_FILES`, the files it reads, relative to its own folder.
"""

import importlib.metadata
import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType

import kaiku
from kaiku.errors import KaikuError
from kaiku.store import atomic, digest, sources

LOCK = Path(kaiku.__file__).parent.parent / "code.lock"
FORMAT = 1
_HEAD = f"# code.lock, format {FORMAT}"

PLUMBING = (
    "kaiku.devices",
    "kaiku.errors",
    "kaiku.strict",
    "kaiku.progress",
    "kaiku.store.atomic",
    "kaiku.store.digest",
    "kaiku.store.owner",
    "kaiku.train.settings",
)
"""Modules that a computing module may import and that cannot change what it computes."""

_UNLISTED = ("new", "")
_shown: ContextVar[str | None] = ContextVar("shown", default=None)


def code_version(module: str) -> str:
    """`v3` where the code is what `code.lock` accepted as version 3, else `v3+<digest>`; unlisted: `new+<digest>`."""
    version, locked = read_lock().get(module, _UNLISTED)
    if locked and _shown.get() not in (None, module):
        return version
    found = code_digest(module)
    return version if found == locked else f"{version}+{found[:12]}"


@contextmanager
def as_locked(besides: str = "") -> Iterator[None]:
    """Within the block every listed module but one counts as `code.lock` knows it: keys as they were before an edit."""
    token = _shown.set(besides)
    try:
        yield
    finally:
        _shown.reset(token)


def edited() -> list[str]:
    """Listed modules whose code is not what `code.lock` accepted."""
    return [module for module, (_, locked) in read_lock().items() if _find(module) and code_digest(module) != locked]


@cache
def code_digest(module: str) -> str:
    """Digest of a module, of every module of this project in its import closure, and of the data files they declare."""
    code = [[name, sources.source(source(name)).digest] for name in closure(module)]
    data = [[path.name, digest.of_file(path)] for name in closure(module) for path in data_files(name)]
    return digest.of_value(code + data)


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
    sources.keep()
    return tuple(sorted(seen))


@cache
def libraries(module: str) -> tuple[str, ...]:
    """Distributions that the closure names in its `LIBRARIES` constants, sorted."""
    return tuple(sorted({name for member in closure(module) for name in sources.source(source(member)).libraries}))


def data_files(module: str) -> list[Path]:
    """Files that a module itself names in its `DATA_FILES` constant. Raises KaikuError where one is not there."""
    path = source(module)
    found = [path.parent / name for name in sources.source(path).data_files]
    for file in found:
        if not file.is_file():
            raise KaikuError(f"{path}: DATA_FILES names {file.name}, which is not there", expected="a file beside it")
    return found


@cache
def library_version(distribution: str) -> str:
    """Installed version of a distribution without its local build label; `absent` where it is not installed."""
    try:
        return importlib.metadata.version(distribution).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def read_lock(path: Path = LOCK) -> Mapping[str, tuple[str, str]]:
    """`code.lock` as {module: (version, digest)}; empty where there is none. Read again only when the file changed."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return {}
    return _parsed_lock(path, (found.st_mtime_ns, found.st_size, found.st_ino))


@lru_cache(maxsize=4)
def _parsed_lock(path: Path, signature: tuple[int, int, int]) -> Mapping[str, tuple[str, str]]:
    lines = path.read_text().splitlines()
    if not lines or not lines[0].startswith(_HEAD):
        raise KaikuError(
            f"{path}: its first line is {lines[0] if lines else ''!r}",
            expected=f"{_HEAD!r}",
            remedy="Take the file from git, or use the Kaiku that wrote it.",
        )
    entries = {}
    for number, line in enumerate(lines, start=1):
        if line and not line.startswith("#"):
            fields = line.split()
            if len(fields) != 3:
                raise KaikuError(
                    f"{path}, line {number}: {line!r}",
                    expected="module, version, digest",
                    remedy="Run `make lock-code`.",
                )
            entries[fields[0]] = (fields[1], fields[2])
    return MappingProxyType(entries)


def write_lock(entries: Mapping[str, tuple[str, str]], path: Path = LOCK) -> None:
    """Write `code.lock`, sorted."""
    lines = [f"{_HEAD}: each computing module, its version, the digest of its import closure; docs/code-versions.md"]
    lines += [f"{module} {version} {found}" for module, (version, found) in sorted(entries.items())]
    atomic.write_text(path, "\n".join(lines) + "\n")


@cache
def source(module: str) -> Path:
    """A module's file, found without importing it."""
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


@cache
def _imports(module: str) -> tuple[str, ...]:
    """Project modules that a module imports."""
    top, found = module.partition(".")[0], []
    for dots, base, names in sources.source(source(module)).imports:
        base = _absolute(module, dots, base)
        if _is_ours(base, top):
            children = [f"{base}.{name}" for name in names]
            found += [child if _find(child) else base for child in children] if names else [base]
    return tuple(dict.fromkeys(found))


def _absolute(module: str, dots: int, base: str) -> str:
    """Full name of what an import with so many leading dots names, as it stands in a module."""
    if not dots:
        return base
    package = module if source(module).name == "__init__.py" else module.rpartition(".")[0]
    parent = package.split(".")[: len(package.split(".")) - dots + 1]
    return ".".join([*parent, *([base] if base else [])])


def _is_ours(name: str, top: str) -> bool:
    return name.partition(".")[0] in ("kaiku", top)
