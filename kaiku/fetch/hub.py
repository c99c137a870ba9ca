"""A repository of the Hugging Face hub at one commit, every file checked against what the hub states of it.

The token is taken from the environment (HF_TOKEN) or the workspace's `.env`: what another login left on this machine
has no say.
"""

import fnmatch
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaiku import secrets
from kaiku.errors import CorruptFile, KaikuError
from kaiku.fetch.consent import hub_page
from kaiku.fetch.source import Source
from kaiku.fetch.unpack import checked_path
from kaiku.progress import LINE_EVERY_S, tell

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Snapshot:
    """The commit, and its files by their name in the repository."""

    commit: str
    files: dict[str, Path]


def download(source: Source, folder: Path, *, commit: str | None = None) -> Snapshot:
    """Bring a repository, or the files of it that are wanted, into a folder, going on with what an earlier call left.

    commit: fetch this one, whatever the source's revision names today. Raises KaikuError where the hub cannot be
    reached, does not let this user in, or has none of the files; CorruptFile where a file is not what the hub states.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    repository, revision = source.hub, source.revision
    endpoint = os.environ.get("HF_ENDPOINT")
    token: str | bool = secrets.get("HF_TOKEN") or False  # False: no token that is stored on this machine either
    disable_progress_bars()
    with _plain_errors(source, bool(token)):
        info = HfApi(endpoint=endpoint, token=token).repo_info(
            repository, revision=commit or revision, repo_type=source.repository, files_metadata=True
        )
        stated = {file.rfilename: file for file in info.siblings or [] if _is_wanted(file.rfilename, source.files)}
        for name in stated:
            checked_path(name, repository)
        if not stated:
            raise KaikuError(
                f"{repository} at commit {info.sha} has no file like {', '.join(source.files) or '*'}",
                remedy=f"See {hub_page(source)}/tree/{info.sha}, and mend `source.files`.",
            )
        size = sum(file.size or 0 for file in stated.values())
        tell(f"{repository} at commit {info.sha}: {len(stated)} files, {size / 1e9:.2f} GB")
        with _telling(folder, size):
            snapshot_download(
                repository,
                repo_type=source.repository,
                revision=info.sha,
                allow_patterns=source.files or None,
                local_dir=folder,
                cache_dir=folder.parent / "cache",
                token=token,
                endpoint=endpoint,
            )
    if not (revision and COMMIT.fullmatch(revision)):
        tell(f"{repository}: to pin what you got, write `revision: {info.sha}`")
    files = {name: folder / name for name in sorted(stated)}
    for name, path in files.items():
        _check(repository, name, path, stated[name])
    return Snapshot(info.sha, files)


def _is_wanted(name: str, patterns: list[str]) -> bool:
    return not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


@contextmanager
def _telling(folder: Path, size: int) -> Iterator[None]:
    """Say every now and then how much of a repository is here: huggingface_hub's own bars are for terminals alone."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(LINE_EVERY_S):
            here = sum(path.stat().st_size for path in list(folder.rglob("*")) if path.is_file())
            tell(f"download: {here / 1e6:.0f} of {size / 1e6:.0f} MB ({here / max(size, 1):.0%})")

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _check(repository: str, name: str, path: Path, stated: Any) -> None:
    """Size of a file, and where the hub states it (large files), its SHA-256."""
    wanted = [stated.size, stated.lfs.sha256 if stated.lfs else None]
    found = [path.stat().st_size, _sha256(path) if stated.lfs else None]
    if found != wanted:
        path.unlink()
        raise CorruptFile(
            f"{repository}: {name} has {found[0]} bytes and sha256 {found[1]}",
            expected=f"{wanted[0]} bytes and sha256 {wanted[1]}, as the hub states",
            remedy="Run again; it is fetched anew.",
        )


def _sha256(path: Path) -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


@contextmanager
def _plain_errors(source: Source, has_token: bool) -> Iterator[None]:
    """The hub's exceptions as one KaikuError with what to do."""
    from huggingface_hub import errors

    repository, revision, page = source.hub, source.revision, hub_page(source)
    try:
        yield
    except errors.GatedRepoError as error:
        why = "this HF_TOKEN has no access to it" if has_token else "HF_TOKEN is not set"
        remedy = f"Accept its terms at {page}, make a token that may read it, and "
        remedy += "`export HF_TOKEN=hf_...`, or write HF_TOKEN=hf_... into .env of the workspace."
        raise KaikuError(f"{repository} is gated, and {why}", remedy=remedy) from error
    except errors.RevisionNotFoundError as error:
        raise KaikuError(f"{repository} has no revision {revision!r}", remedy=f"See {page}/commits.") from error
    except errors.RepositoryNotFoundError as error:
        why = "hides it from this HF_TOKEN" if has_token else "hides it, since HF_TOKEN is not set"
        remedy = f"Mend `source.hub`; where {page} is private or gated, `export HF_TOKEN=hf_...`."
        raise KaikuError(f"{repository}: the hub knows no such repository, or {why}", remedy=remedy) from error
    except errors.HfHubHTTPError as error:
        raise KaikuError(f"{repository}: the hub refused ({error})", remedy="Run again later.") from error
    except (errors.HTTPError, errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError) as error:
        raise KaikuError(
            f"{repository}: the hub cannot be reached ({error})",
            remedy="Look at the network and at HF_HUB_OFFLINE, and run again: finished files are kept. Or fetch it by "
            "hand and give its folder as `path:`.",
        ) from error
