"""How fast recordings become clips on one core, and in how much memory.

    python benchmarks/segmentation.py --corpus FOLDER            hours of audio per core-hour, by stage
    python benchmarks/segmentation.py --corpus FOLDER --memory   peak memory on a recording of three hours
    python benchmarks/segmentation.py --corpus FOLDER --two      two processes against one, on an idle machine

CPU time of this process counts, but for --two.
Each stage is the time of a pass that ends with it, less the pass before.
"""

import argparse
import resource
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from timing import cpu_s, gain_of_two

from kaiku.audio.decode import SUFFIXES, mono, open_audio, read_mono
from kaiku.audio.resample import StreamResampler
from kaiku.audio.segmentation import Segmentation, SegmentSettings
from kaiku.audio.vad import SAMPLE_RATE, SpeechProbability

SETTINGS = SegmentSettings(mode="vad")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of recordings, searched at every depth")
    parser.add_argument(
        "--repeat", type=int, default=3, help="passes over the corpus; the fastest counts; with --two, copies of it"
    )
    parser.add_argument("--memory", action="store_true", help="peak memory on --hours instead of speed")
    parser.add_argument("--two", action="store_true", help="two processes against one instead of stages")
    parser.add_argument("--hours", type=float, default=3.0, help="length of the recording that --memory builds")
    arguments = parser.parse_args(argv)
    files = sorted(file for file in arguments.corpus.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        parser.error(f"{arguments.corpus}: no audio files")
    if arguments.memory:
        report_memory(files, arguments.hours)
    elif arguments.two:
        gain = gain_of_two(segment_all, files * arguments.repeat)
        print(f"{gain:8.2f} times as much in the same time by two processes")
    else:
        report_speed(files, arguments.repeat)


def report_speed(files: list[Path], repeat: int) -> None:
    seconds, clips = segment_all(files)  # also loads the model, before any timing
    decode_s, listen_s, all_s = (cpu_s(partial(work, files), repeat) for work in (decode_all, listen_all, segment_all))
    print(f"{len(files)} recordings, {seconds / 3600:.3f} h, {clips} clips")
    print(f"{seconds / all_s:8.0f} hours of audio per core-hour")
    for name, part_s in (
        ("decode", decode_s),
        ("resample + VAD", listen_s - decode_s),
        ("cut + FLAC", all_s - listen_s),
    ):
        print(f"{part_s / all_s:8.0%} {name}")
    print(
        f"{seconds / decode_s:8.0f} hours per core-hour if decoding were all: we take {all_s / decode_s:.1f} times that"
    )
    print(f"{peak_memory_mb():8.0f} MB at the peak")


def report_memory(files: list[Path], hours: float) -> None:
    before_mb = peak_memory_mb()
    with tempfile.TemporaryDirectory() as folder:
        long = Path(folder) / "long.wav"
        build(files, hours, long)
        built_mb = peak_memory_mb()
        work = Segmentation(long, SETTINGS)
        clips = sum(1 for _ in work)
    print(f"{work.samples / work.sample_rate / 3600:.2f} h at {work.sample_rate} Hz, {clips} clips")
    print(f"{before_mb:8.0f} MB before, {built_mb:.0f} MB with the file built, {peak_memory_mb():.0f} MB at the peak")
    print(f"{work.most_held / work.sample_rate:8.1f} s of audio held at most")


def build(files: list[Path], hours: float, target: Path) -> None:
    """A mono wav of the recordings in turn, as often as it takes, all at the rate of the first."""
    import soundfile

    rate = read_mono(files[0])[1]
    with soundfile.SoundFile(target, "w", rate, 1, "PCM_16") as wav:
        while wav.frames < hours * 3600 * rate:
            for file in files:
                with open_audio(file) as audio:
                    resampler = StreamResampler(audio.sample_rate, rate)
                    for block in audio.blocks():
                        wav.write(resampler.push(mono(block)))
                    wav.write(resampler.finish())


def decode_all(files: list[Path]) -> None:
    for file in files:
        with open_audio(file) as audio:
            for block in audio.blocks():
                mono(block)


def listen_all(files: list[Path]) -> None:
    for file in files:
        for _ in probabilities(file):
            pass


def probabilities(file: Path) -> Iterator:
    model = SpeechProbability()
    with open_audio(file) as audio:
        resampler = StreamResampler(audio.sample_rate, SAMPLE_RATE)
        for block in audio.blocks():
            yield model.push(resampler.push(mono(block)))
        yield model.push(resampler.finish())
        yield model.finish()


def segment_all(files: list[Path]) -> tuple[float, int]:
    """Seconds of audio and number of clips."""
    seconds, clips = 0.0, 0
    for file in files:
        work = Segmentation(file, SETTINGS)
        clips += sum(1 for _ in work)
        seconds += work.samples / work.sample_rate
    return seconds, clips


def peak_memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kB on Linux


if __name__ == "__main__":
    main()
