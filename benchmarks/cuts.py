"""How quiet it is where recordings are cut.

    python benchmarks/cuts.py --corpus FOLDER                   every recording of the folder, searched at every depth
    python benchmarks/cuts.py --corpus FOLDER --join-s 120      files joined, in order of name, to recordings this long

A cut is a clip's start or end within the recording; one that two clips share counts once. It is quiet where the 60 ms
around it lie at least 35 dB under the 95th percentile of the recording's frames of 60 ms. A noisy recording has no such
place: the level of its quietest twentieth, its floor, is shown beside it, and cuts there are summed up apart.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kaiku.audio.decode import SUFFIXES, read_mono
from kaiku.audio.resample import resample
from kaiku.audio.segmentation import SegmentSettings, segment

WINDOW_S = 0.06
UNDER_DB = 35.0
NEAR_DB = 6.0


@dataclass(frozen=True)
class Cuts:
    """A recording's cuts. All levels in dB under the 95th percentile of its frames."""

    name: str
    times_s: np.ndarray  # [cuts]
    under_db: np.ndarray  # [cuts]
    floor_db: float  # of the quietest twentieth of the frames
    shared: int

    @property
    def can_be_quiet(self) -> bool:
        return self.floor_db >= UNDER_DB


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of recordings, searched at every depth")
    parser.add_argument("--join-s", type=float, help="join files to recordings of at least so many seconds")
    parser.add_argument("--max-s", type=float, default=15.0, help="longest clip")
    arguments = parser.parse_args(argv)
    files = sorted(file for file in arguments.corpus.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        parser.error(f"{arguments.corpus}: no audio files")
    settings = SegmentSettings(mode="vad", max_s=arguments.max_s)
    with tempfile.TemporaryDirectory() as folder:
        recordings = joined(files, arguments.join_s, Path(folder)) if arguments.join_s else iter(files)
        found = [cuts_of(recording, settings) for recording in recordings]
    report([cuts for cuts in found if cuts.can_be_quiet], "recordings whose floor lies deep enough")
    report([cuts for cuts in found if not cuts.can_be_quiet], f"recordings with a floor above -{UNDER_DB:.0f} dB")


def joined(files: Sequence[Path], seconds: float, folder: Path) -> Iterator[Path]:
    """Wavs of files end to end, at the rate of the first; what is left over at the end makes a shorter one."""
    import soundfile

    rate = read_mono(files[0])[1]
    parts: list[np.ndarray] = []
    for number, file in enumerate(files):
        parts.append(resample(*read_mono(file), rate))
        if sum(map(len, parts)) >= seconds * rate or number == len(files) - 1:
            target = folder / f"up-to-{file.stem}.wav"
            soundfile.write(target, np.concatenate(parts), rate, "FLOAT")
            yield target
            target.unlink()
            parts = []


def cuts_of(recording: Path, settings: SegmentSettings) -> Cuts:
    samples, rate = read_mono(recording)
    clips = segment(recording, settings).clips
    width = round(WINDOW_S * rate)
    levels = np.sort(levels_db(samples[: len(samples) // width * width].reshape(-1, width)))
    loud_db, floor_db = np.percentile(levels, (95, 5))
    ends = [end for clip in clips for end in (clip.start, clip.end) if 0 < end < len(samples)]
    places = sorted(set(ends))
    starts = [min(max(0, place - width // 2), len(samples) - width) for place in places]
    around = np.array([samples[start : start + width] for start in starts]).reshape(len(starts), width)
    return Cuts(
        recording.name,
        np.array(places) / rate,
        loud_db - levels_db(around),
        float(loud_db - floor_db),
        len(ends) - len(places),
    )


def levels_db(frames: np.ndarray) -> np.ndarray:
    """Level of each frame [n, samples] in dB, [n]; digital silence at -200."""
    return 10 * np.log10(np.mean(np.square(frames, dtype=np.float64), axis=1) + 1e-20)


def report(found: Sequence[Cuts], title: str) -> None:
    total = sum(len(cuts.times_s) for cuts in found)
    if not total:
        return
    quiet = sum(int((cuts.under_db >= UNDER_DB).sum()) for cuts in found)
    shared = sum(cuts.shared for cuts in found)
    print(f"{len(found)} {title}: {total} cuts, {shared} of them between two clips")
    near = sum(int((cuts.under_db >= cuts.floor_db - NEAR_DB).sum()) for cuts in found)
    print(f"{quiet / total:8.2%} at least {UNDER_DB:.0f} dB under their recording's 95th percentile")
    print(f"{near / total:8.2%} at most {NEAR_DB:.0f} dB above their recording's floor")
    for cuts in found:
        for time_s, under_db in zip(cuts.times_s, cuts.under_db):
            if under_db < UNDER_DB:
                print(f"{under_db:8.1f} dB under, {cuts.name} at {time_s:.2f} s (floor {cuts.floor_db:.1f} dB under)")


if __name__ == "__main__":
    main()
