"""Make the toy corpus: synthetic speech by espeak-ng with known sentences, known times and planted faults.

    python toy/make_corpus.py            # write toy/corpus and toy/truth.json
    python toy/make_corpus.py --check    # make it again in memory and compare it with what is there

Equal versions of espeak-ng and of the libraries give equal bytes; `made_with` in truth.json names them.
"""

import argparse
import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from script import CUT, VOICES, Recording, generator, recordings
from sound import ENCODERS, FILE_FAULTS, SAMPLE_RATE, SOUND_FAULTS, Spans, compose, cut

from kaiku.errors import KaikuError
from kaiku.store import atomic, digest

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
TRUTH = HERE / "truth.json"
LIBRARIES = ("av", "numpy", "soundfile", "soxr")


def make(recording: Recording) -> tuple[dict[str, bytes], dict]:
    """The files of one recording by path relative to toy/corpus, and its row of truth.json."""
    rng = generator(recording.seed or recording.path)
    samples, spans = compose(recording, rng)
    if recording.fault in SOUND_FAULTS:
        samples = SOUND_FAULTS[recording.fault](samples, spans)
    path = Path(recording.path)
    data = ENCODERS[path.suffix](samples)
    if recording.fault in FILE_FAULTS:
        data = FILE_FAULTS[recording.fault](data)
    files = {recording.path: data}
    if recording.transcript:
        files[path.with_suffix(recording.transcript).as_posix()] = transcript(recording, spans, rng).encode()
    return files, truth_row(recording, len(samples), spans, data)


def truth_row(recording: Recording, length: int, spans: Spans, data: bytes) -> dict:
    """What is known of a recording; times are of the speech itself, as it was before a fault of the file."""
    language, _ = VOICES[recording.speaker]
    return {
        "speaker": recording.speaker,
        "language": language,
        "fault": recording.fault,
        "duration_s": _seconds(length),
        "digest": digest.of_bytes(data),
        "sentences": [
            {"start_s": _seconds(start), "end_s": _seconds(end), "speaker": line.speaker, "text": line.text}
            | ({"given": line.given} if line.given else {})
            for line, (start, end) in zip(recording.lines, spans)
        ],
    }


def transcript(recording: Recording, spans: Spans, rng: np.random.Generator) -> str:
    """The given text: on one line for a clip (.lab), with one cue per sentence for a long recording (.vtt)."""
    texts = [line.given or line.text for line in recording.lines]
    if recording.transcript == ".lab":
        return " ".join(texts) + "\n"
    times = [cut(span, CUT, rng) for span in spans]
    cues = [f"{_clock(start)} --> {_clock(end)}\n{text}\n" for (start, end), text in zip(times, texts)]
    return "\n".join(["WEBVTT\n", *cues])


def _seconds(samples: int) -> float:
    return round(samples / SAMPLE_RATE, 4)


def _clock(samples: int) -> str:
    minutes, milliseconds = divmod(round(samples * 1000 / SAMPLE_RATE), 60_000)
    return f"00:{minutes:02}:{milliseconds / 1000:06.3f}"


def made_with() -> dict[str, str]:
    """What the bytes depend on besides the code."""
    try:
        said = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        raise KaikuError(
            "there is no espeak-ng on this machine", remedy="Install it: apt-get install espeak-ng"
        ) from None
    espeak_ng = said.removeprefix("eSpeak NG text-to-speech:").split()[0]
    return {"espeak-ng": espeak_ng, "machine": platform.machine(), **{name: version(name) for name in LIBRARIES}}


def other_versions() -> str:
    """In words, what differs between this machine and the one that made the corpus; empty where nothing does."""
    here = made_with()
    there = json.loads(TRUTH.read_text(encoding="utf-8"))["made_with"] if TRUTH.exists() else here
    return ", ".join(
        f"{name} {there.get(name)} there, {here[name]} here" for name in here if there.get(name) != here[name]
    )


def check(files: dict[str, bytes]) -> None:
    """Raise KaikuError where the corpus on disk is not byte for byte these files, by path relative to toy/corpus."""
    found = {p.relative_to(CORPUS).as_posix(): p.read_bytes() for p in CORPUS.rglob("*") if p.is_file()}
    differing = sorted(path for path in found.keys() | files.keys() if found.get(path) != files.get(path))
    if differing:
        raise KaikuError(
            f"{len(differing)} files in {CORPUS} are not what the generator makes: {', '.join(differing[:5])}",
            remedy="Restore them, or run toy/make_corpus.py without --check",
        )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    args = parser.parse_args(argv)

    others = other_versions()
    if others and args.check:
        raise KaikuError(
            f"{CORPUS} was made with other versions: {others}",
            expected="the same versions, which alone promise the same bytes",
            remedy="Install those, or take the corpus as it is shipped",
        )
    if others:
        print(f"Other versions than before, so the bytes may change: {others}")

    files, rows = {}, {}
    for recording in recordings():
        made, rows[recording.path] = make(recording)
        files |= made
    if args.check:
        check(files)
    else:
        with atomic.folder(CORPUS) as folder:
            for path, data in files.items():
                atomic.write_bytes(folder / path, data)
        atomic.write_json(TRUTH, {"format": 1, "made_with": made_with(), "recordings": rows})
    print(f"{len(files)} files, {sum(map(len, files.values())) / 1e6:.2f} MB: {'as made' if args.check else 'written'}")


if __name__ == "__main__":
    try:
        main()
    except KaikuError as error:
        sys.exit(f"toy/make_corpus.py: {error}")
