import json
import os

import pytest

from kaiku.layouts import Problem, Recording


class Folder:
    """A corpus folder as a scan shows it to a layout: the files in it, and a `read` that remembers."""

    def __init__(self, root):
        self.root, self.opened, self.parsed = root, [], {}

    def files(self):
        """Relative posix paths of everything under the root."""
        return [
            os.path.relpath(os.path.join(folder, name), self.root).replace(os.sep, "/")
            for folder, _, names in os.walk(self.root)
            for name in names
        ]

    def read(self, path, parse):
        """Parsed values are plain JSON and handed out again, so a layout that changes one is found out."""
        self.opened.append(path)
        if path not in self.parsed:
            self.parsed[path] = json.loads(json.dumps(parse((self.root / path).read_bytes())))
        return self.parsed[path]

    def write(self, contents):
        for name, content in contents.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "corpus")


@pytest.fixture
def corpus(folder):
    """corpus(layout, {path: bytes or text}, **settings) -> (recordings by path, problems)."""

    def discover(layout, contents, **settings):
        folder.write(contents)
        found = list(layout.discover(folder.files(), folder.read, layout.Settings(**settings)))
        recordings = {r.path: r for r in found if isinstance(r, Recording)}
        return recordings, [p for p in found if isinstance(p, Problem)]

    return discover


@pytest.fixture
def tiny(folder):
    """tiny(layout, **settings) -> ({path: (id, speaker, language, text, extras)}, problems) of its own example."""

    def discover(layout, **settings):
        layout.tiny(folder.root)
        found = list(layout.discover(folder.files(), folder.read, layout.Settings(**settings)))
        recordings = {
            r.path: (r.id, r.speaker, r.language, " / ".join(span.text for span in r.texts), r.extras)
            for r in found
            if isinstance(r, Recording)
        }
        return recordings, [(p.where, p.what) for p in found if isinstance(p, Problem)]

    return discover
