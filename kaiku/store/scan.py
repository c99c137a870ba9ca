"""The scan: a corpus' folder as manifests, reading only files whose size or times changed since the last one.

It runs before the workflow's graph is built, never inside a job. A folder that is absent or has become empty (a machine
that holds tokens only, a disk not mounted) freezes its manifests instead of emptying the corpus.
"""

import gc
import json
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaiku.errors import KaikuError
from kaiku.layouts import Problem, Recording
from kaiku.progress import log, track
from kaiku.store import atomic, code, digest, given_tokens, manifests, statcache
from kaiku.store.manifests import AudioRow, TextRow
from kaiku.store.shards import shard_name, shard_of, shards_for

FORMAT = 1
CACHE_FORMAT = 1
UNREADABLE = "unreadable"
"""Stands for the digest of a recording without permission to read it: it fails alone, and the rest goes on."""
MAY_NOT_BE_READ = ("may not be read (Permission denied)", "Mend its permissions; until then it counts as failed.")
LEADS_NOWHERE = ("is a link that leads nowhere", "Mount or mend what it leads to; until then it is left out.")
LOSSY_GROWTH = {".ogg": 6, ".oga": 6, ".opus": 6, ".webm": 6, ".mp3": 4, ".m4a": 4, ".aac": 4, ".mp4": 4, ".wma": 4}
"""How much larger speech of such a file is, about, when it is kept as FLAC, for sizing shards; 1 where not listed."""

Signature = tuple[int, int, int, int]
DEAD_LINK: Signature = (-1, 0, 0, 0)
"""Stands for a link that cannot be followed: to what is not there, or to itself."""


@dataclass(frozen=True)
class Scanned:
    """What a scan found: shards that hold recordings, how many there are, and what could not be made sense of."""

    shards: tuple[str, ...]
    recordings: int
    problems: int
    frozen: bool


def scan(
    root: Path,
    folder: Path,
    cache: Path,
    discover: Callable[[Collection[str], Callable], Any],
    *,
    shards: int | None = None,
    how: str = "",
    tokens: str = "",
) -> Scanned:
    """Bring the manifests in `folder` up to date with the recordings under `root`.

    discover(files, read): the layout's, yielding Recording and Problem. how: all that discover's result depends on
    beside the files; where it is given, a corpus of which nothing changed costs its walk alone. cache: the stat
    cache's file, disposable. shards: number wanted at the first scan; pinned in `folder/corpus.json` from then on.
    tokens: suffix of files with tokens beside the recordings; empty: none are looked for.
    """
    walked = walk(root) if root.is_dir() else {}
    made_by = f"{how} {tokens} {code.code_digest(__name__)}"
    summary = _Summary(cache.with_suffix(".seen"), made_by, walked, folder)
    if how and (seen := summary.recall()):
        return seen
    with _without_collector():
        scanned = _scan(root, folder, cache, discover, walked, shards, tokens)
    if not scanned.frozen:
        summary.remember(scanned)
    return scanned


def _scan(
    root: Path, folder: Path, cache: Path, discover: Callable, walked: dict, shards: int | None, tokens: str
) -> Scanned:
    files, left_out = split(walked)
    pinned = pinned_shards(folder)
    if not files and pinned:
        log(f"{root} {why_nothing(root, left_out)}: its manifests stay as they are")
        return _frozen(root, folder, tokens)
    if not files:
        raise KaikuError(
            f"{root} {why_nothing(root, left_out)}",
            expected="a folder of recordings",
            remedy="Mend `path:` in the corpus' configuration, mount the disk, or give the corpus a `source:`.",
        )
    reader = _Reader(root, files, cache)
    found = list(discover(files.keys(), reader.parsed))
    recordings = sorted((f for f in found if isinstance(f, Recording)), key=lambda r: r.id)
    problems = left_out + [f for f in found if isinstance(f, Problem)]
    if not recordings and pinned:
        log(f"{root} holds no recordings now: its manifests stay as they are")
        return _frozen(root, folder, tokens)
    digests = reader.digests([r.path for r in recordings])
    problems += [Problem(path, *MAY_NOT_BE_READ) for path, found in digests.items() if found == UNREADABLE]
    count = pinned or shards or shards_for(sum(_decoded_bytes(r.path, files) for r in recordings))
    _write(folder, recordings, digests, files, count)
    if tokens:
        given_tokens.write(folder, given_tokens.find(folder, digests, recordings, files, reader.parsed, tokens), count)
    _write_problems(folder, problems)
    _pin(folder, count)
    reader.save()
    return read(folder)


def why_nothing(root: Path, left_out: list[Problem]) -> str:
    """What a folder is that has no files for a corpus. left_out: problems of those that it has all the same."""
    if not root.is_dir():
        return "is a file" if root.exists() else "is not there"
    return f"holds no files but {left_out[0].where}, which {left_out[0].what}" if left_out else "holds no files"


def _frozen(root: Path, folder: Path, tokens: str) -> Scanned:
    if tokens and not given_tokens.are_listed(folder):
        raise KaikuError(
            f"{root}: its {tokens} files are to be taken for tokens, and nobody has looked at them yet",
            expected="the folder itself, or manifests from a machine that has it",
            remedy="Mount it for one `snakemake -n`, pull those manifests, or take `tokens:` out of the corpus.",
        )
    return read(folder, frozen=True)


@contextmanager
def _without_collector() -> Iterator[None]:
    """For the length of a scan: a corpus is a million small objects without circles, gone through again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def read(folder: Path, *, frozen: bool = False) -> Scanned:
    """What the manifests in `folder` say, without looking at any recording."""
    names, recordings = [], 0
    for number in range(pinned_shards(folder) or 0):
        shard = shard_name(number)
        path = manifests.audio_path(folder, shard)
        lines = path.read_bytes().count(b"\n") - 1 if path.exists() else 0
        if lines > 0:
            names.append(shard)
            recordings += lines
    problems = folder / "problems.tsv"
    bad = problems.read_bytes().count(b"\n") - 1 if problems.exists() else 0
    return Scanned(tuple(names), recordings, bad, frozen)


def read_problems(folder: Path) -> list[Problem]:
    """Files of a corpus that its layout could not make sense of."""
    path = folder / "problems.tsv"
    lines = path.read_text(encoding="utf-8").split("\n")[1:] if path.exists() else []
    return [Problem(*json.loads(line)) for line in lines if line]


def recordings(folder: Path) -> Iterator[str]:
    """Ids of all recordings in a corpus' manifests."""
    for number in range(pinned_shards(folder) or 0):
        yield from (row.recording for row in manifests.read_audio(manifests.audio_path(folder, shard_name(number))))


def spread(folder: Path, shards: int, target: Path) -> None:
    """Write to `target` the manifests in `folder` as a scan would have written them for another number of shards."""
    audio: dict[str, list[AudioRow]] = defaultdict(list)
    texts: dict[str, list[TextRow]] = defaultdict(list)
    before = [shard_name(number) for number in range(pinned_shards(folder) or 0)]
    rows = [row for shard in before for row in manifests.read_audio(manifests.audio_path(folder, shard))]
    for row in sorted(rows, key=lambda row: row.recording):
        audio[shard_of(row.recording, shards)].append(row)
    spans = [row for shard in before for row in manifests.read_text(manifests.text_path(folder, shard))]
    for span in sorted(spans, key=lambda span: span.recording):  # stable: those of a recording keep their order
        texts[shard_of(span.recording, shards)].append(span)
    _write_shards(target, audio, texts, shards)
    if tokens := given_tokens.read_all(folder):
        given_tokens.write(target, tokens, shards)
    _pin(target, shards)


def _write(folder: Path, recordings: list[Recording], digests: dict[str, str], files: dict, count: int) -> None:
    audio: dict[str, list[AudioRow]] = defaultdict(list)
    texts: dict[str, list[TextRow]] = defaultdict(list)
    for r in recordings:
        shard = shard_of(r.id, count)
        audio[shard].append(AudioRow(r.id, r.path, digests[r.path], files[r.path][0], r.speaker, r.language, r.extras))
        texts[shard].extend(TextRow(r.id, span.start_s, span.end_s, span.text) for span in r.texts)
    _write_shards(folder, audio, texts, count)


def _write_shards(folder: Path, audio: dict, texts: dict, count: int) -> None:
    for number in range(count):
        shard = shard_name(number)
        manifests.write_audio(manifests.audio_path(folder, shard), audio[shard])
        manifests.write_text(manifests.text_path(folder, shard), texts[shard])


def _pin(folder: Path, count: int) -> None:
    atomic.write_text_if_changed(folder / "corpus.json", json.dumps({"format": FORMAT, "shards": count}) + "\n")


def _write_problems(folder: Path, problems: list[Problem]) -> None:
    lines = ["# where, what, remedy as JSON"]
    lines += [json.dumps([p.where, p.what, p.remedy], ensure_ascii=False) for p in problems]
    atomic.write_text_if_changed(folder / "problems.tsv", "\n".join(lines) + "\n")


def pinned_shards(folder: Path) -> int | None:
    """Number of shards of a corpus; None where it was never scanned."""
    path = folder / "corpus.json"
    if not path.exists():
        return None
    try:
        value = json.loads(path.read_text())
    except ValueError as error:
        raise KaikuError(f"{path}: {error}", expected="JSON", remedy="Take it from git: it pins the shards.") from error
    if value.get("format") != FORMAT:
        raise KaikuError(
            f"{path}: format {value.get('format')}", expected=f"{FORMAT}", remedy="Use the Kaiku that wrote it."
        )
    return value["shards"]


def walk(root: Path) -> dict[str, Signature]:
    """Every file under the root but hidden ones: relative path -> (size, mtime, ctime, inode), or DEAD_LINK."""
    found: dict[str, Signature] = {}
    waiting: list[tuple[str, tuple[tuple[int, int], ...]]] = [("", ())]
    while waiting:
        relative, above = waiting.pop()
        folder = (root / relative).stat()
        if (folder.st_dev, folder.st_ino) in above:
            continue  # a link to a folder that it lies in itself
        above = (*above, (folder.st_dev, folder.st_ino))
        with os.scandir(root / relative) as entries:
            for entry in entries:
                name = f"{relative}/{entry.name}" if relative else entry.name
                if entry.name.startswith("."):
                    continue
                if entry.is_symlink() and _is_dead(entry):
                    found[name] = DEAD_LINK
                elif entry.is_dir():
                    waiting.append((name, above))
                elif entry.is_file():
                    stat = entry.stat()
                    found[name] = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    return dict(sorted(found.items()))


def _is_dead(link: os.DirEntry) -> bool:
    try:
        link.stat()
    except OSError:
        return True
    return False


def split(walked: dict[str, Signature]) -> tuple[dict[str, Signature], list[Problem]]:
    """Files that a layout may see, and a Problem for each name that is not UTF-8 and each link that leads nowhere."""
    kept, problems = {}, []
    for name, signature in walked.items():
        shown = name.encode(errors="backslashreplace").decode()
        if shown != name:
            problems.append(Problem(shown, "has a name that is not UTF-8", "Rename it; until then it is left out."))
        elif signature == DEAD_LINK:
            problems.append(Problem(name, *LEADS_NOWHERE))
        else:
            kept[name] = signature
    return kept, problems


def _decoded_bytes(path: str, files: dict[str, Signature]) -> int:
    return files[path][0] * LOSSY_GROWTH.get(Path(path).suffix.lower(), 1)


class _Summary:
    """What a scan came to, for as long as the files, the way they are read and the manifests are those of that scan."""

    def __init__(self, path: Path, how: str, walked: dict[str, Signature], folder: Path):
        self.path, self.how, self.folder = path, how, folder
        self.walked = digest.of_bytes(repr(walked).encode(errors="surrogatepass")) if walked else ""

    def recall(self) -> Scanned | None:
        """The last scan's result, if this one's would be the same."""
        state, scanned = statcache.load(self.path) or (None, None)
        return scanned if self.walked and state == self._state() else None

    def remember(self, scanned: Scanned) -> None:
        """Keep a scan's result."""
        statcache.save(self.path, (self._state(), scanned))

    def _state(self) -> tuple[str, str, list[tuple[Any, ...]]]:
        stats = sorted((path.name, path.stat()) for path in self.folder.glob("[!.]*"))
        # Without ctime, which a link made to a manifest changes too.
        return self.how, self.walked, [(name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in stats]


class _Reader:
    """Contents by stat: a file is opened only if its signature is not the one of its digest or parsed form."""

    def __init__(self, root: Path, files: dict[str, Signature], cache: Path):
        self.root, self.files, self.cache = root, files, cache
        self.known = self._load()
        self.used: dict[tuple[str, str], tuple[Signature, Any]] = {}

    def parsed(self, path: str, parse: Callable[[bytes], Any]) -> Any:
        """parse(bytes of the file), remembered."""
        made_by = f"{parse.__qualname__} {code.code_digest(parse.__module__)}"
        return self._remembered(path, made_by, lambda: parse(self._bytes(path)))

    def digests(self, paths: list[str]) -> dict[str, str]:
        """Content digest of each path; new ones are read four at a time."""
        fresh = [p for p in paths if self._look(p, "digest") is None]
        if fresh:
            with ThreadPoolExecutor(4) as pool:
                results = pool.map(self._digest, fresh)
                for path, value in track(zip(fresh, results), total=len(fresh), label=f"scan {self.root}", unit="file"):
                    self.used[path, "digest"] = (self.files[path], value)
        found = {p: self._remembered(p, "digest", lambda p=p: self._digest(p)) for p in paths}
        self.used = {key: entry for key, entry in self.used.items() if entry[1] != UNREADABLE}  # looked at again
        return found

    def save(self) -> None:
        """Write the cache if anything in it changed."""
        if self.used != self.known:
            statcache.save(self.cache, (CACHE_FORMAT, self.used))

    def _remembered(self, path: str, what: str, make: Callable[[], Any]) -> Any:
        known = self._look(path, what)
        entry = known if known is not None else (self.files[path], make())
        self.used[path, what] = entry
        return entry[1]

    def _look(self, path: str, what: str) -> tuple[Signature, Any] | None:
        entry = self.used.get((path, what)) or self.known.get((path, what))
        return entry if entry is not None and entry[0] == self.files[path] else None

    def _bytes(self, path: str) -> bytes:
        with self._reading(path) as file:
            return file.read_bytes()

    def _digest(self, path: str) -> str:
        with self._reading(path) as file:
            try:
                return digest.of_file(file)
            except PermissionError:
                return UNREADABLE

    @contextmanager
    def _reading(self, path: str) -> Iterator[Path]:
        try:
            yield self.root / path
        except OSError as error:
            raise KaikuError(
                f"{self.root / path} cannot be read ({error.strerror})",
                remedy="Mend its permissions or the disk, or move it out of the corpus.",
            ) from error

    def _load(self) -> dict[tuple[str, str], tuple[Signature, Any]]:
        version, known = statcache.load(self.cache) or (None, {})
        return known if version == CACHE_FORMAT else {}
