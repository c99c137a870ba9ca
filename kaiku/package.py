"""What one hands over: model, codec, report, card and checksums in one archive that is the same bytes every time."""

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypedDict

from kaiku.errors import CorruptFile, KaikuError
from kaiku.listing import visible_files
from kaiku.progress import log, track
from kaiku.report.data import Licence
from kaiku.report.licence import licence_warnings
from kaiku.report.report import figure_text, label
from kaiku.store import atomic

FORMAT = 1
CHECKSUMS = "SHA256SUMS"
CARD = "MODEL_CARD.md"
COMPRESSION = 6
BLOCK = 1 << 20
NAMED = 20
"""Speakers that a card names; of more, it tells how many."""


class Card(TypedDict, total=False):
    """What a model card says. Only `name`, `licence` and `licences` must be there; what is absent is said to be absent.

    licence: of the model itself; licences: of all it was made from; lineage: label to text; data: a line per corpus;
    figures: those of metrics.json; intended_use: what it is for; speakers: whose voices it has, empty where not all are
    named.
    """

    name: str
    licence: str
    licences: list[Licence]
    lineage: dict[str, str]
    data: list[str]
    figures: dict[str, dict[str, Any]]
    intended_use: str
    speakers: list[str]


def package(
    model_folder: Path,
    codec_folder: Path | None,
    report: Path | None,
    card: Card,
    out: Path,
    codec_files: Collection[str] | None = None,
) -> None:
    """Write `out` (.tar.gz) and read it back; same files, same bytes.

    One folder inside, named as the archive: `model/`, `codec/`, `report.html`, MODEL_CARD.md, SHA256SUMS for
    `sha256sum -c`. codec_files: names of those in the codec's folder that are the codec's; None: all of them.
    Raises KaikuError where the model folder holds nothing.
    """
    files = _files(model_folder, "model")
    if not files:
        raise KaikuError(f"{model_folder} holds no file", expected="a merged model", remedy="Merge the run first.")
    files |= _files(codec_folder, "codec", codec_files) if codec_folder else {}
    files |= {"report.html": report} if report else {}
    texts = {CARD: model_card(card).encode()}
    sums = {name: _sha256_of_file(path) for name, path in files.items()}
    sums |= {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()}
    texts[CHECKSUMS] = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()
    with atomic.writing(out) as f:
        _write_archive(f, archive_name(out), files, texts)
        f.flush()
        verify_package(Path(f.name))
    log(f"package: {out}, {len(sums)} files, {out.stat().st_size / 1e6:.1f} MB")


def verify_package(path: Path) -> dict[str, str]:
    """Read an archive and compare every file with its SHA256SUMS; returns name to digest. Raises CorruptFile."""
    found: dict[str, str] = {}
    stated: dict[str, str] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                content = archive.extractfile(member)
                name = member.name.partition("/")[2]
                if content is None:
                    raise CorruptFile(f"{path}: {member.name} is no plain file")
                if name == CHECKSUMS:
                    stated = _parse_checksums(content.read().decode())
                else:
                    found[name] = _sha256(content)
    except (tarfile.TarError, zlib.error, EOFError, OSError, UnicodeDecodeError) as error:
        raise CorruptFile(f"{path} cannot be read: {error}", remedy="Package again, or copy it again.") from error
    wrong = sorted(name for name in found.keys() | stated.keys() if found.get(name) != stated.get(name))
    if wrong:
        raise CorruptFile(
            f"{path}: {len(wrong)} files differ from {CHECKSUMS}, {wrong[0]} among them",
            remedy="Package again, or copy it again.",
        )
    return found


def archive_name(out: Path) -> str:
    """The folder inside: the archive's name without .tar.gz."""
    if not out.name.endswith(".tar.gz"):
        raise KaikuError(f"An archive called {out.name}", expected="a name that ends in .tar.gz")
    return out.name.removesuffix(".tar.gz")


def model_card(card: Card) -> str:
    """The model card as Markdown."""
    warnings = licence_warnings((item["what"], item["licence"]) for item in card["licences"])
    named = card.get("speakers", [])
    speakers = f"{len(named)} speakers" if len(named) > NAMED else ", ".join(named) or "the recorded speakers"
    sections = [
        f"# {card['name']}",
        "\n".join(f"> **{warning}**" for warning in warnings),
        "## Synthetic voice\n\n"
        f"This model imitates {speakers}. What it says was never said by a person. Tell listeners so wherever its "
        "speech is heard, and do not use it to pass for anyone or to get past a voice check. Use a person's voice only "
        "with that person's consent.",
        f"## Intended use\n\n{card.get('intended_use') or 'Not stated.'}",
        f"## Lineage\n\n{_items(f'{name}: {text}' for name, text in card.get('lineage', {}).items())}",
        f"## Data\n\n{_items(card.get('data', []))}",
        f"## Licence\n\nThis model: {card['licence']}. Made from:\n\n{_licence_items(card['licences'])}",
        f"## Figures\n\n{_figure_table(card.get('figures', {}))}",
        f"## Checking this archive\n\n`sha256sum -c {CHECKSUMS}` in this folder compares every file with its checksum.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _items(texts: Iterable[str]) -> str:
    return "\n".join(f"- {text}" for text in texts) or "Not stated."


def _licence_items(licences: Sequence[Licence]) -> str:
    return _items(f"{item['what']}: {item['licence'] or 'none given'}" for item in licences)


def _figure_table(figures: Mapping[str, dict[str, Any]]) -> str:
    if not figures:
        return "Not measured."
    rows = [
        f"| {label(name)} | {figure['why']} | {figure['meaning']} |"
        if figure["value"] is None
        else f"| {label(name)} | {figure_text(figure['value'])} {figure['unit']} | {figure['meaning']} |"
        for name, figure in figures.items()
    ]
    return "\n".join(["| figure | value | meaning |", "|---|---|---|", *rows])


def _files(folder: Path, prefix: str, only: Collection[str] | None = None) -> dict[str, Path]:
    """Files below a folder by their name in the archive: all, or those of some names."""
    found = {path.relative_to(folder).as_posix(): path for path in visible_files(folder)}
    return {f"{prefix}/{name}": path for name, path in found.items() if only is None or name in only}


def _write_archive(f: IO[bytes], root: str, files: Mapping[str, Path], texts: Mapping[str, bytes]) -> None:
    names = sorted(files.keys() | texts.keys())
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=f, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in track(names, total=len(names), label="package", unit="file"):
            if name in texts:
                _add(archive, f"{root}/{name}", len(texts[name]), io.BytesIO(texts[name]))
            else:
                with open(files[name], "rb") as content:
                    _add(archive, f"{root}/{name}", files[name].stat().st_size, content)


def _add(archive: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    """Add a plain file without the owner, times and modes of this machine."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o644, 0
    archive.addfile(member, content)


def _parse_checksums(text: str) -> dict[str, str]:
    return {name: checksum for checksum, _, name in (line.partition("  ") for line in text.splitlines())}


def _sha256_of_file(path: Path) -> str:
    with open(path, "rb") as f:
        return _sha256(f)


def _sha256(content: IO[bytes]) -> str:
    sha = hashlib.sha256()
    while block := content.read(BLOCK):
        sha.update(block)
    return sha.hexdigest()
