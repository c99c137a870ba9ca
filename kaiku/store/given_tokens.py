"""Manifests of tokens that stand beside a corpus' recordings: which file, and of which content of its recording.

A file of tokens does not say what it was made of. So the recording that lay beside it when its content was first seen
is written down with it: where the recording is edited and the tokens are not, they are known to be of another sound.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaiku.adoption import LEAST_EQUAL, MOST_BYTES, Form, Geometry, GivenTokens, codes, form, refusal
from kaiku.errors import KaikuError
from kaiku.layouts import Read, Recording, without_suffix
from kaiku.progress import log
from kaiku.store import digest, manifests
from kaiku.store.manifests import TokensRow
from kaiku.store.shards import shard_name, shard_of

if TYPE_CHECKING:
    from kaiku.store.items import Item


def parse(data: bytes) -> list[Any]:
    """Digest and form of a file of tokens, as plain values."""
    return [digest.of_bytes(data), asdict(form(data))]


def find(
    folder: Path,
    digests: Mapping[str, str],
    recordings: Iterable[Recording],
    files: Mapping[str, Sequence[int]],
    read: Read,
    suffix: str,
) -> list[TokensRow]:
    """The tokens beside each recording, in the recordings' order.

    folder: of the manifests as they are now. files: by path, size first.
    """
    known: dict[str, dict[str, str]] = defaultdict(dict)
    for row in read_all(folder):
        known[row.digest][row.recording] = row.made_of
    found = []
    for recording in recordings:
        path = without_suffix(recording.path) + suffix
        if path in files and path != recording.path:
            content, values = _look(path, files[path][0], read)
            audio, seen = digests[recording.path], known.get(content, {})
            made_of = (
                audio
                if not content or not seen or audio in seen.values()
                else seen.get(recording.id, min(seen.values()))
            )
            told = Form(**{**values, "shape": tuple(values["shape"]), "highest": tuple(values["highest"])})
            found.append(TokensRow(recording.id, path, content, made_of, made_of != audio, told))
    return found


def _look(path: str, size: int, read: Read) -> list[Any]:
    """Digest and form of a file; one that is not read has no digest, and in the place of a form the reason."""
    if size > MOST_BYTES:
        return ["", asdict(Form(error=f"has {size:,} bytes, more than tokens of any clip"))]
    try:
        return read(path, parse)
    except KaikuError as error:
        return ["", asdict(Form(error=error.found))]


def are_listed(folder: Path) -> bool:
    """Whether a corpus has manifests of tokens, be it empty ones."""
    return any(folder.glob("[0-9]*.tokens.tsv"))


def read_all(folder: Path) -> list[TokensRow]:
    """All rows of a corpus' manifests of tokens; none where it has none."""
    return [row for path in sorted(folder.glob("[0-9]*.tokens.tsv")) for row in manifests.read_tokens(path)]


def write(folder: Path, rows: Iterable[TokensRow], shards: int) -> None:
    """Write the rows to the manifests of their shards; a shard without any has an empty one."""
    by_shard: dict[str, list[TokensRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.recording):
        by_shard[shard_of(row.recording, shards)].append(row)
    for number in range(shards):
        shard = shard_name(number)
        manifests.write_tokens(manifests.tokens_path(folder, shard), by_shard[shard])


class Given:
    """A shard's given tokens as one codec would take them.

    settings: None where the corpus brought none; paths: of their manifests; root: the corpus' folder.
    """

    def __init__(self, settings: GivenTokens | None, paths: Iterable[Path], codec: Geometry, root: Path):
        self.settings, self.codec, self.root = settings, codec, root
        self.rows = {row.recording: row for path in paths for row in manifests.read_tokens(path)}

    def of(self, clip: Mapping[str, Any]) -> TokensRow | None:
        """The tokens that are adopted for a clip, a row of segments; None where it is to be encoded."""
        return None if self.refusal(clip) else self.rows.get(clip["recording"])

    def refusal(self, clip: Mapping[str, Any]) -> str:
        """Why the tokens beside a clip are not its own; empty where they are, or where there are none."""
        row = self.rows.get(clip["recording"])
        if row is None:
            return ""
        if row.edited:
            return "lay beside other audio when it was first seen (edited since, or the tokens of another recording)"
        return refusal(row.form, self.codec, clip["end_s"] - clip["start_s"], self.settings.tolerance_frames)

    def codes(self, clip: Mapping[str, Any]) -> bytes:
        """A clip's adopted tokens, uint16 [frames, codebooks]. Raises KaikuError if their file is not what it was."""
        row = self.rows[clip["recording"]]
        path = self.root / row.path
        if not path.is_file():
            raise KaikuError(f"{path} is not there", remedy="Mount the corpus' folder, or pull what is made from it.")
        data = path.read_bytes()
        if digest.of_bytes(data) != row.digest:
            raise KaikuError(
                f"{path} changed while the workflow ran", remedy="Run again; the new content is taken then."
            )
        return codes(data)

    def verify(self, clips: Sequence[Mapping[str, Any]], encode: Callable[[Any], bytes]) -> None:
        """Compare the first tokens of some clips with what the codec gives. KaikuError where they are another's."""
        import numpy as np

        for clip in clips:
            ours, theirs = (
                np.frombuffer(data, "<u2").reshape(-1, len(self.codec.codebook_sizes))[:, 0]
                for data in (encode(clip), self.codes(clip))
            )
            frames = min(len(ours), len(theirs))
            equal = float((ours[:frames] == theirs[:frames]).mean())
            where = self.root / self.rows[clip["recording"]].path
            log(f"{where}: {equal:.1%} of {frames} first codes are what the codec gives")
            if equal < LEAST_EQUAL:
                raise KaikuError(
                    f"{where}: {equal:.1%} of its {frames} first codes are what codec {self.settings.codec} gives",
                    expected=f"at least {LEAST_EQUAL:.0%}: these tokens are another codec's, or of another recording",
                    remedy="Name the codec that made them in `tokens.codec`, or take `tokens:` out of the corpus.",
                )

    def tell(self, adopted: Collection["Item"], encoded: Iterable["Item"]) -> None:
        """Say in the log what is adopted, what is encoded, and why each refused file was."""
        encoded = list(encoded)
        for item in encoded:
            if reason := self.refusal(item.work):
                log(f"{item.id}: not adopted, encoded: {self.rows[item.work['recording']].path} {reason}")
        without = sum(item.work["recording"] not in self.rows for item in encoded)
        refused = len(encoded) - without
        log(f"tokens that came with the corpus: {len(adopted)} adopted, {refused} refused, {without} clips had none")
