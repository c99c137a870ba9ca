"""A corpus on the disk, its scans, and which of its files each of them read."""

import os
import sys
from pathlib import Path

from kaiku.layouts import wav_lab
from kaiku.store import manifests, scan

_opened = None


def _watch(event, arguments):
    if _opened is not None and event == "open" and isinstance(arguments[0], str | Path):
        _opened.append(str(arguments[0]))


sys.addaudithook(_watch)


class Corpus:
    """A folder of recordings and its manifests. `opened` names the files of the folder that the last scan read."""

    def __init__(self, root, layout=wav_lab, shards=2):
        self.root, self.layout, self.shards = root / "raw", layout, shards
        self.manifests, self.cache, self.opened = root / "manifests", root / "work" / "stat.pickle", []

    def put(self, **files):
        for name, content in files.items():
            self.write(name.replace("__", "/") + (".lab" if isinstance(content, str) else ".wav"), content)

    def write(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def scan(self, **settings):
        global _opened
        _opened = []

        def discover(files, read):
            return self.layout.discover(files, read, self.layout.Settings(**settings))

        try:
            return scan.scan(self.root, self.manifests, self.cache, discover, shards=self.shards)
        finally:
            inside = [os.path.relpath(path, self.root) for path in _opened if path.startswith(f"{self.root}/")]
            self.opened, _opened = sorted(inside), None

    def state(self):
        """What identifies each manifest as the same, unwritten file."""
        return {p.name: (p.read_bytes(), p.stat().st_ino, p.stat().st_mtime_ns) for p in self.manifests.iterdir()}

    def changed_since(self, state):
        return sorted(name for name, found in self.state().items() if state.get(name) != found)

    def rows(self, of="audio"):
        read = {"audio": manifests.read_audio, "text": manifests.read_text}[of]
        return [row for path in sorted(self.manifests.glob(f"*.{of}.tsv")) for row in read(path)]
