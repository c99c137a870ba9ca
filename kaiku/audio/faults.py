"""What a file that does not decode is instead, in words of one's own: libraries say little, and some of it misleads."""

from pathlib import Path

from kaiku.errors import DecodeError

HEAD = 4096  # bytes looked at
AGAIN = "Copy or download it again."
UNPACK = "Unpack it into the corpus' folder."
BEGINNINGS = (
    (b"version https://git-lfs", "a Git LFS pointer, not the audio itself", "Run `git lfs pull` where it came from."),
    (b"%PDF", "a PDF", "Move it out of the corpus."),
    (b"\x89PNG", "a PNG picture", "Move it out of the corpus."),
    (b"\xff\xd8\xff", "a JPEG picture", "Move it out of the corpus."),
    (b"PK\x03\x04", "a zip archive", UNPACK),
    (b"\x1f\x8b", "a gzip archive", UNPACK),
    (b"Rar!", "a RAR archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
)


def missing(path: Path) -> DecodeError:
    """For a path where no file stands."""
    if path.is_dir():
        return DecodeError(f"{path}: a folder", expected="an audio file", remedy="Rename it, or move it away.")
    if path.is_symlink():
        there = path.readlink()
        return DecodeError(
            f"{path}: a link to {there}, which is not there", expected="an audio file", remedy="Mend it."
        )
    return DecodeError(f"{path}: no such file", expected="an audio file")


def unreadable(path: Path, error: OSError) -> DecodeError:
    """For a file that the system does not let one read."""
    remedy = "Give yourself the right to read it." if isinstance(error, PermissionError) else "Look at the disk."
    return DecodeError(f"{path}: cannot be read ({error.strerror})", expected="an audio file", remedy=remedy)


def broken_header(path: Path, said: str) -> DecodeError:
    """For a file that libsndfile knows, but cannot open."""
    # What it says of a file that ends too soon for it: it was given a descriptor, and seeks beyond the end.
    misleading = "does not exist" in said or "psf_fseek" in said
    what = "it ends within its header" if misleading else f"libsndfile says {said.rstrip('. ')!r}"
    return DecodeError(f"{path}: damaged or cut off at its beginning; {what}", expected="a whole file", remedy=AGAIN)


def unknown_coding(path: Path, library: str) -> DecodeError:
    """For a file whose container a library knows, and not how the sound in it is coded."""
    return DecodeError(
        f"{path}: sound in a coding that {library} does not know, or damaged at its beginning",
        expected="a whole file in a common coding",
        remedy="Convert it to wav or flac; if nothing plays it, copy or download it again.",
    )


def broken_inside(path: Path, said: str, came: int, frames: int) -> DecodeError:
    """For a file that libsndfile cannot read on in."""
    what = "" if not said or "psf_fseek" in said else f"; libsndfile says {said.removeprefix('Error :').strip('. ')!r}"
    return DecodeError(
        f"{path}: damaged or cut off after {came} of {frames} samples{what}", expected="a whole file", remedy=AGAIN
    )


def unknown(path: Path, said: str) -> DecodeError:
    """For a file that neither library takes for audio: what it is, as far as its beginning tells."""
    with open(path, "rb") as f:
        head = f.read(HEAD)
    what, remedy = _looks_like(head, path.stat().st_size)
    found = what or f"not recognised as audio (libav says {said!r})"
    return DecodeError(f"{path}: {found}", expected="an audio file", remedy=remedy)


def _looks_like(head: bytes, size: int) -> tuple[str, str]:
    """What a beginning is of, and what to do; nothing where it does not tell."""
    for beginning, what, remedy in BEGINNINGS:
        if head.startswith(beginning):
            return what, remedy
    if not any(head):
        return f"{size} bytes that begin with zeros: set aside for a copy that never came", AGAIN
    if head[4:8] == b"ftyp":
        return "an mp4 without its index, which most writers put at the end: cut off", AGAIN
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "a web page", "Download it again: the address gave a page, often one that asks to log in."
    try:
        text = head.decode("utf-8", "strict" if size <= HEAD else "ignore")
    except UnicodeDecodeError:
        return "", AGAIN
    if text.isprintable() or all(c.isprintable() or c.isspace() for c in text):
        return f"text, which begins {text.strip()[:40]!r}", "Move it out of the corpus, or give it its own suffix."
    return "", AGAIN
