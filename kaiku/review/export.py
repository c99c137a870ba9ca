"""A part of a review for listening elsewhere: one page with its clips in it, and the way back for its decisions."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from kaiku.errors import CorruptFile, KaikuError
from kaiku.progress import track
from kaiku.report.player import player_uri
from kaiku.review import files, page, shown
from kaiku.review.decisions import Decision
from kaiku.review.index import Index
from kaiku.review.orders import Lists, Question
from kaiku.review.sound import Sound
from kaiku.store import atomic, manifests, scan
from kaiku.store.shards import shard_of

COLUMNS = ("corpus", *files.COLUMNS)
PAGE = "review.html"


def export(index: Index, question: Question, clips: int, folder: Path, reviewer: str) -> tuple[Path, int]:
    """Write the page with the first `clips` clips of a list, their audio as Opus; returns its path and their number.

    Clips whose audio is not on this machine are left out.
    """
    lists, sound = Lists(index), Sound(index.settings)
    wanted = lists.clips(question)[:clips]
    told = []
    for corpus, name in track(wanted, total=len(wanted), label="export", unit="clip"):
        row = index.row(corpus, name)
        shard = row["shard"]
        one = shown.clip(index, lists, sound, corpus, name)
        digest = index.contents(corpus, shard).get(row["recording"])
        if one["sound"] or digest is None:
            continue
        audio = sound.of(corpus, shard, name, index.generation)
        times = (round(row["start_s"] * 1000), round(row["end_s"] * 1000))
        place = dict(zip(COLUMNS, (corpus, digest, row["recording"], *times)))
        uri = player_uri(audio.samples, audio.sample_rate)
        told.append({**one, "why": lists.why(index.rows[corpus, name], question.order), "place": place, "audio": uri})
    if not told:
        raise KaikuError("nothing to export: no clip is asked for whose audio is on this machine")
    made = files.now()
    overview = {**shown.overview(index), "reviewer": reviewer, "clips": len(told)}
    overview["seconds"] = round(sum(one["seconds"] for one in told))
    overview |= {"kept": sum(one["kept"] is True for one in told), "dropped": sum(one["kept"] is False for one in told)}
    text = page.compose({"clips": told, "overview": overview, "columns": COLUMNS, "made": made})
    atomic.write_text(folder / PAGE, text)
    return folder / PAGE, len(told)


@dataclass
class Imported:
    """What an import came to: decisions that were new, those known already, and those without a recording here."""

    new: int = 0
    known: int = 0
    homeless: list[str] = field(default_factory=list)


def merge(corpora: list[str], path: Path) -> Imported:
    """Merge the decisions that were downloaded from an exported page; a file with a wrong line changes nothing.

    A decision goes where its recording is now, under whatever name (see `files.settle`).
    """
    if not path.is_file():
        raise KaikuError(f"{path} is not there", expected="the file that an exported page let one download")
    lines = manifests.read_table(path, COLUMNS, _line, remedy="Download it from the page again.")
    found, wanted = Imported(), defaultdict(list)
    for number, (corpus, decision) in enumerate(lines, start=2):
        if corpus not in corpora:
            raise CorruptFile(f"{path}, line {number}: corpus {corpus!r}", expected=f"one of {', '.join(corpora)}")
        wanted[corpus].append(files.checked(decision))
    counts = {corpus: scan.pinned_shards(files.MANIFESTS / corpus) for corpus in wanted}
    if unknown := [corpus for corpus, count in counts.items() if count is None]:
        raise KaikuError(f"{', '.join(unknown)}: never scanned here", remedy="Run `snakemake -n` first.")
    for corpus, decisions in wanted.items():
        shards = defaultdict(list)
        for decision in decisions:
            shards[shard_of(decision.recording, counts[corpus])].append(decision)
        for shard, mine in shards.items():
            new = files.add(corpus, shard, mine)
            found.new, found.known = found.new + new, found.known + len(set(mine)) - new
        files.settle(corpus)
        found.homeless += _homeless(corpus, decisions)
    return found


def _homeless(corpus: str, decisions: list[Decision]) -> list[str]:
    """Recordings of decisions whose content is nowhere in a corpus."""
    here = {
        own for path in (files.MANIFESTS / corpus).glob("*.audio.tsv") for own in manifests.read_digests(path).values()
    }
    return sorted({decision.recording for decision in decisions if decision.digest not in here})


def _line(corpus: str, *rest: str) -> tuple[str, Decision]:
    return corpus, files.decision_of(*rest)
