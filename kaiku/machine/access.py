"""Secrets as far as one may speak of them, and whether the hub can be reached. No secret is ever told."""

import os
import re
import stat
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kaiku import secrets
from kaiku.errors import KaikuError
from kaiku.machine import Finding

HUB = "https://huggingface.co"
PATIENCE_S = 5.0
FORMS = {
    "HF_TOKEN": (re.compile(r"hf_[A-Za-z0-9]{20,}"), "hf_ and letters, as the hub shows it once; for gated models"),
    "WANDB_API_KEY": (re.compile(r"[A-Za-z0-9_\-]{40,}"), "40 characters or more; for Weights & Biases"),
    "AWS_ACCESS_KEY_ID": (re.compile(r"[A-Z0-9]{16,}"), "16 capitals and digits or more; for DVC on S3"),
    "AWS_SECRET_ACCESS_KEY": (re.compile(r"\S{30,}"), "30 characters or more; for DVC on S3"),
}
"""By name: the form of a secret, and that in words."""


def findings(workspace: Path, *, offline: bool = False) -> Iterator[Finding]:
    """Secrets of the environment and of the workspace's `.env`, then the hub, unless one wants to stay offline."""
    file = workspace / secrets.FILE
    yield from _file(file)
    for name, (form, words) in FORMS.items():
        try:
            value, where = secrets.get(name, file), "the environment" if os.environ.get(name) else str(secrets.FILE)
        except KaikuError:
            continue  # told of the file already
        if value and form.fullmatch(value):
            yield Finding("secrets", f"{name} is set, in {where} ({len(value)} characters)")
        elif value:
            told = f"{name}, in {where}, has not the form of one ({len(value)} characters)"
            yield Finding("secrets", told, "warning", f"Expected: {words}. Copy it again, without quotes or blanks.")
    if not offline:
        yield hub(_token(file))


def _token(file: Path) -> str:
    try:
        return secrets.get("HF_TOKEN", file)
    except KaikuError:
        return os.environ.get("HF_TOKEN", "")


def _file(file: Path) -> Iterator[Finding]:
    """A `.env` that others may read, or that git keeps."""
    if not file.is_file():
        return
    try:
        count = len(secrets.read(file))
    except KaikuError as error:
        yield Finding("secrets", error.found, "problem", error.remedy or "Write NAME=value lines.")
        return
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        yield Finding("secrets", ".env may be read by other users of this machine", "warning", "`chmod 600 .env`.")
    asked = ["git", "ls-files", "--error-unmatch", file.name]
    try:
        tracked = not subprocess.run(asked, cwd=file.parent, capture_output=True).returncode
    except OSError:
        tracked = False
    if tracked:
        remedy = "`git rm --cached .env`, add it to .gitignore, and make new secrets: these are in its history."
        yield Finding("secrets", ".env is kept by git", "problem", remedy)
    elif count:
        yield Finding("secrets", f".env holds {count} value{'' if count == 1 else 's'}")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token goes to the address that was named, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def hub(token: str) -> Finding:
    """Whether the hub answers, and takes the token. Only who fetches needs it, so that it fails nothing."""
    endpoint = (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
    address = urllib.parse.urlsplit(endpoint)
    if address.scheme not in ("http", "https") or not address.hostname:
        return Finding("hub", "HF_ENDPOINT is no http or https address", "warning", "Mend it, or `unset HF_ENDPOINT`.")
    shown = f"{address.scheme}://{address.hostname}" + (f":{address.port}" if address.port else "")
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return Finding("hub", "not asked, since HF_HUB_OFFLINE is set")
    is_safe = address.scheme == "https" or address.hostname in ("127.0.0.1", "localhost", "::1")
    request = urllib.request.Request(f"{endpoint}/api/whoami-v2")
    if token and is_safe and token.isascii() and token.isprintable():
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=PATIENCE_S) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or type(error).__name__
        remedy = "It is needed to fetch models and corpora from it, and for nothing else; look at network and proxy."
        return Finding("hub", f"{shown} is not reachable ({_plain(why)})", "warning", remedy)
    if status in (401, 403) and request.has_header("Authorization"):
        return Finding("hub", f"{shown} refuses HF_TOKEN", "warning", "Make a new token on the hub's page of settings.")
    if token and not is_safe:
        return Finding("hub", f"{shown} answers; HF_TOKEN was not sent over plain http", "warning", "Use https.")
    if status >= 500:
        return Finding("hub", f"{shown} answers with {status}", "warning", "Try again later.")
    return Finding("hub", f"{shown} answers" + (" and takes HF_TOKEN" if token and status == 200 else ""))


def _plain(why: object) -> str:
    """A reason without what an error may repeat of a request."""
    return getattr(why, "strerror", None) or type(why).__name__ if isinstance(why, Exception) else str(why)
