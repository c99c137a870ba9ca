"""The catalogue as a page and as lines of a terminal, written from its entries."""

from collections.abc import Iterable

from kaiku.fetch import catalog
from kaiku.fetch.catalog import CorpusEntry, Entry, Named
from kaiku.wording import cell

INTRODUCTION = """\
# Catalogue

*Written by `python -m kaiku.reference` from `config/catalog/`; a test fails when it is out of date.*

Published corpora and base models: where they are, under which licence, and how sure that is. `make catalog` lists
them in a terminal (`make catalog WORDS="telugu"`). A configuration names an entry, and says only what is other:

```yaml
corpora:
  lj: {catalog: ljspeech, source: {hours: 10}}       # source, layout, language and licence are the entry's
  te: {catalog: openslr66, accept_licence: CC-BY-SA-4.0}
  mine: {catalog: common-voice, path: /data/cv-corpus-20.0/te, language: te}
bases:
  openaudio-s1-mini: {catalog: openaudio-s1-mini, accept_licence: CC-BY-NC-SA-4.0}
```

**Licences.** What a licence forbids is said before anything is fetched. One that forbids commercial use, wants the
same licence for what is made, or is not clear, is refused until `accept_licence` repeats its name in the
configuration. It travels with every model that heard the corpus or began with the base. *Commercial: yes* means that
the licence's name allows it; whose voice it is, and what they agreed to, is a question of its own. This page is no
legal advice.

**Yours.** What is in no catalogue is given by `source:` and `licence:`. An entry is a block of `config/catalog/*.yaml`;
the tests ask that its layout exists, its licence says what `commercial` says, and no digest stands twice.

**Fetching.** A download goes on where it broke off, also after its process died; waits as long as a server asks, and
goes on at a mirror where one is known. Its digest is compared before it is unpacked; where it is another, nothing of it
is kept. An archive that would write outside its folder, or unpacks to two hundred times its size, is refused. The
folder appears whole. On a cluster it runs where Snakemake does, since nodes often have no network.

**Checked.** *seen*: read at its publisher, or in code that fetches it. *unverified*: general knowledge; read its page
before you rely on it. No entry was downloaded for this page. A digest that is not given, and the commit of a branch,
is recorded at the first fetch in `data/manifests/{corpus}/fetched.json` or `data/manifests/{base}.fetched.json`, which
belong in git, and asked for ever after, whatever else of `source:` changes.

**Hours.** `source: {hours: 10}` keeps about ten hours, the same ones on every machine, and among those of `hours:
20`. The archive is downloaded whole all the same: all of these are published as archives, not clip by clip. To change
it later, remove the corpus' folder and its manifests, and it is fetched again.
"""


def page() -> str:
    """The catalogue as Markdown."""
    parts = [INTRODUCTION]
    for section, title in (("corpora", "Corpora"), ("bases", "Base models")):
        entries = sorted(catalog.entries(section).items())
        parts.append(f"## {title}\n\n{_table(section, entries)}")
        parts += [_entry(section, name, entry) for name, entry in entries]
    return "\n".join(parts)


def lines(words: Iterable[str] = ()) -> list[tuple[str, ...]]:
    """A line under HEAD for each entry or part that all words are found in."""
    wanted = [word.lower() for word in words]
    found = []
    for section in catalog.SECTIONS:
        for named in catalog.names(section):
            entry = named.entry
            told = " ".join([named.name, entry.title, entry.licence, _what(named), *getattr(entry, "languages", [])])
            if all(word in told.lower() for word in wanted):
                figures = (_figure(named.figure("hours")), _figure(named.figure("size_gb")))
                found.append((named.name, _what(named), *figures, entry.licence, entry.commercial, entry.checked))
    return found


HEAD = ("catalog", "what", "hours", "GB", "licence", "commercial", "checked")


def _what(named: Named) -> str:
    if isinstance(named.entry, CorpusEntry):
        return named.language if named.language != "und" else ", ".join(named.entry.languages)
    return named.entry.serves


def _table(section: str, entries: list[tuple[str, Entry]]) -> str:
    third = "languages" if section == "corpora" else "for"
    rows = [f"| name | {third} | licence | commercial | checked | comes |", "|---|---|---|---|---|---|"]
    for name, entry in entries:
        what = ", ".join(entry.languages) if isinstance(entry, CorpusEntry) else entry.serves
        licence = entry.licence + (" (share alike)" if entry.share_alike else "")
        comes = "by itself" if entry.source else "by hand"
        if entry.source and entry.source_of(next(iter(entry.parts), "")).gated:
            comes = "with HF_TOKEN"
        cells = (f"[`{name}`](#{name})", what, licence, entry.commercial, entry.checked, comes)
        rows.append(f"| {' | '.join(map(cell, cells))} |")
    return "\n".join([*rows, ""])


def _entry(section: str, name: str, entry: Entry) -> str:
    facts = [f"<{entry.page}>", f"{entry.licence}, commercial use: {entry.commercial}"]
    if isinstance(entry, CorpusEntry):
        facts.append(f"layout `{entry.layout}`")
        facts += [f"{entry.hours:g} h"] if entry.hours else []
        facts += [f"{entry.speakers:,} speaker{'s' if entry.speakers > 1 else ''}"] if entry.speakers else []
        facts += [f"{entry.sample_rate:,} Hz"] if entry.sample_rate else []
    facts += [f"{entry.size_gb:g} GB"] if entry.size_gb else []
    text = [f"### {name}", "", f"{entry.title}. {'; '.join(facts)}.", ""]
    text += [f"*Not sure:* {entry.doubts}", ""] if entry.doubts else []
    text += [f"*By hand:* {entry.by_hand}", ""] if entry.by_hand else []
    if entry.parts:
        text += ["| part | language | hours | GB | digest |", "|---|---|---|---|---|"]
        for part in entry.parts:
            named = Named(f"{name}/{part}", section, entry, part)
            told = (f"`{named.name}`", named.language if named.language != "und" else "")
            figures = (_figure(named.figure("hours")), _figure(named.figure("size_gb")))
            text.append(f"| {' | '.join((*told, *figures, _digest(entry, part)))} |")
        text.append("")
    elif entry.source:
        text += [f"Digest: {_digest(entry, '')}.", ""]
    return "\n".join(text)


def _digest(entry: Entry, part: str) -> str:
    source = entry.source_of(part)
    if source is None:
        return ""
    if source.hub:
        pinned = f"commit {source.revision}" if source.revision != "main" else "commit of the first fetch"
        return f"{pinned}, files by the hub's own"
    kinds = ["SHA-256" if a.sha256 else "MD5" if a.md5 else "of the first fetch" for a in source.archives]
    return ", ".join(dict.fromkeys(kinds))


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
