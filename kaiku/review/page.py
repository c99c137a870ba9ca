"""The page as one file: markup, style and script in one, nothing from elsewhere, and no other script may run in it."""

import base64
import hashlib
import json
from importlib.resources import files
from typing import Any


def compose(data: dict[str, Any]) -> str:
    """The page with its data: where the server is (`token`), or everything itself (`clips`)."""
    own = files("kaiku.review")
    parts = ("page.css", "source.js", "beside.js", "page.js")
    style, *scripts = ((own / name).read_text(encoding="utf-8") for name in parts)
    script = "\n".join(scripts)
    policy = (
        "default-src 'none'; img-src data:; media-src 'self' data:; connect-src 'self'; base-uri 'none'; "
        f"form-action 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )
    # Within <script>, only `<` could end it; in JSON it may be written as an escape.
    told = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    page = (own / "page.html").read_text(encoding="utf-8")
    for name, text in (("policy", policy), ("style", style), ("script", script), ("data", told)):
        head, tail = page.split(f"{{{{ {name} }}}}")
        page = head + text + tail
    return page


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
