"""Names in an export: of files, as every file system takes them, and of speakers, so that no two are one."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping

LIBRARIES: tuple[str, ...] = ()
LONGEST = 180  # bytes, which leaves room for a suffix under the 255 of most file systems
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])$", re.IGNORECASE)


def safe(text: str) -> str:
    """A text as a file name without suffix: what no file system or table takes is percent-encoded."""
    text = unicodedata.normalize("NFC", text)
    name = "".join(_percent(c) if c in '/\\:*?"<>|.' or unicodedata.category(c)[0] in "CZ" else c for c in text)
    if _RESERVED.match(name):
        name += "_"
    if len(name.encode()) > LONGEST:
        ending = f"--{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"
        name = name.encode()[: LONGEST - len(ending)].decode(errors="ignore") + ending
    return name or "_"


class Names:
    """Gives each thing a name of its own: `safe`, and a number behind it where another has that name already."""

    def __init__(self):
        self._given: dict[object, str] = {}
        self._taken: set[str] = set()

    def of(self, thing: object, wanted: str) -> str:
        """The name of a thing, the same each time it is asked for."""
        if thing not in self._given:
            name, number = safe(wanted), 1
            while (candidate := name if number == 1 else f"{name}--{number}").casefold() in self._taken:
                number += 1
            self._taken.add(candidate.casefold())
            self._given[thing] = candidate
        return self._given[thing]


def speaker_names(
    people: Collection[tuple[str, str]], others: Mapping[str, str]
) -> tuple[dict[tuple[str, str], str], list[str]]:
    """What the speakers of an export are called, and which of the other names are nobody's.

    people: corpus and speaker; two of one name are two, and have their corpus in front. others: other names, by
    `speaker` or by `corpus/speaker`; several people may be given the same one.
    """
    shared = Counter(speaker for _, speaker in people)
    found = {}
    for corpus, speaker in people:
        own = f"{corpus}_{speaker}" if speaker and shared[speaker] > 1 else speaker
        found[corpus, speaker] = others.get(f"{corpus}/{speaker}", others.get(speaker, own))
    known = {name for corpus, speaker in people for name in (speaker, f"{corpus}/{speaker}")}
    return found, [name for name in others if name not in known]


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogatepass"))
