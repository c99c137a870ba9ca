"""What the checks find of faults that were planted, what they flag of clean clips, and how fast they are.

    python benchmarks/checks.py                                 on the toy's clean recordings
    python benchmarks/checks.py --corpus FOLDER                 on clean clips of your own, searched at every depth
    python benchmarks/checks.py --corpus FOLDER --speed         hours of audio per core-hour, by check

Every fault is planted into every clip, one at a time; found is what then lies outside the suggested bound. A clip of
which a measure cannot be taken counts for neither. Into the texts of the toy other scripts are planted likewise. CPU
time of the process counts, not the clock, except where two processes are compared with one: on an idle machine only.
"""

import argparse
import io
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from timing import cpu_s, gain_of_two

from kaiku import plugins
from kaiku.audio.clips import ClipAudio
from kaiku.audio.decode import SUFFIXES, read_mono
from kaiku.audio.resample import resample
from kaiku.checks import Described, duplicate, script
from kaiku.settings import DEFAULT_CHECKS
from kaiku.text import vtt
from kaiku.text.spoken import SpokenText

TOY = Path(__file__).parents[1] / "toy/corpus"
LANGUAGES = {"aino": "fi", "otso": "fi", "en-us": "en", "pt-br": "pt", "te": "te"}
"""Of the toy's clean folders."""
BOUNDS = {  # measure: (least, greatest) that is kept
    "hum_db": (None, 12),
    "clipped_share": (None, 1e-5),
    "pops": (None, 0),
    "snr_db": (15, None),
    "bandwidth_hz": (6000, None),
    "duplicates_before": (None, 0),
    "foreign_script_share": (None, 0.05),
}
"""The bounds that docs/checks.md and docs/transcripts.md suggest."""
COMPARISONS = ("duplicate", "speaker_outlier")

Wave = np.ndarray  # float32 [samples]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="folder of clean clips; default: the toy's own")
    parser.add_argument("--most", type=int, default=100, help="clips that are looked at, spread over the folder")
    parser.add_argument("--speed", action="store_true", help="measure speed instead of what is found")
    arguments = parser.parse_args(argv)
    files = spread(clean_files(arguments.corpus), arguments.most)
    if not files:
        parser.error(f"{arguments.corpus}: no audio files")
    if arguments.speed:
        report_speed(files)
    else:
        report_found({file.as_posix(): read_mono(file) for file in files})
        if arguments.corpus is None:
            report_texts(toy_texts())


def clean_files(folder: Path | None) -> list[Path]:
    """Recordings of a folder, or those of the toy that no fault was planted in."""
    folders = [folder] if folder else [TOY / name for name in ("aino", "otso", "clips")]
    return sorted(file for root in folders for file in root.rglob("*") if file.suffix.lower() in SUFFIXES)


def spread(files: list[Path], most: int) -> list[Path]:
    """At most so many of some files, evenly."""
    return files if len(files) <= most else [files[i * len(files) // most] for i in range(most)]


# --- what is found


def report_found(clips: dict[str, tuple[Wave, int]]) -> None:
    print(f"{len(clips)} clips, {sum(len(wave) / rate for wave, rate in clips.values()):.0f} s")
    clean = {name: measured(*clip) for name, clip in clips.items()}
    print(f"{'planted':<34} {'measure':<20} {'found':>5} {'of':>5} {'not measurable':>15}")
    for fault, (field, plant) in FAULTS.items():
        values = [measured(*plant(*clip, np.random.default_rng(n)))[field] for n, clip in enumerate(clips.values())]
        tell(fault, field, values)
    copies = [planted_copy(*clip, np.random.default_rng(n)) for n, clip in enumerate(clips.values())]
    alone, with_copies = compared(list(clips.values())), compared([*clips.values(), *copies])
    tell(
        "copy: encoded, scaled, trimmed",
        "duplicates_before",
        [m["duplicates_before"] for m in with_copies[len(clips) :]],
    )
    print(f"\n{'clean':<34} {'measure':<20} {'false':>5} {'of':>5} {'not measurable':>15}")
    for field in ("hum_db", "clipped_share", "pops", "snr_db", "bandwidth_hz"):
        tell("", field, [found[field] for found in clean.values()])
        for name, found in clean.items():
            if is_outside(field, found[field]):
                print(f"    {name}: {field} {found[field]:.5g}")
    tell("", "duplicates_before", [m["duplicates_before"] for m in alone])


def report_texts(texts: Sequence[SpokenText]) -> None:
    print(f"\n{len(texts)} texts")
    print(f"{'planted':<34} {'measure':<20} {'found':>5} {'of':>5} {'not measurable':>15}")
    for name, letters in LETTERS.items():
        others = [text for text in texts if not is_in(text, letters)]
        wrong = {"": [written(text.text, letters) for text in others]}
        wrong[", one word"] = [one_word(text.text, letters, np.random.default_rng(n)) for n, text in enumerate(others)]
        for part, planted in wrong.items():
            spoken = [replace(text, text=other) for text, other in zip(others, planted, strict=True)]
            tell(f"{name} letters{part}", SCRIPT, [script.measure(text, script.Settings())[SCRIPT] for text in spoken])
    print(f"\n{'clean':<34} {'measure':<20} {'false':>5} {'of':>5} {'not measurable':>15}")
    tell("", SCRIPT, [script.measure(text, script.Settings())[SCRIPT] for text in texts])


def toy_texts() -> list[SpokenText]:
    """The toy's right texts, sentence by sentence."""
    found = []
    for file in sorted(file for name in ("aino", "otso", "clips") for file in (TOY / name).rglob("*")):
        said = file.read_text(encoding="utf-8") if file.suffix in (".vtt", ".lab") else ""
        sentences = [text for _, _, text in vtt.parse(said)] if file.suffix == ".vtt" else said.splitlines()
        found += [SpokenText(text, LANGUAGES[file.parent.name]) for text in sentences]
    return found


def tell(what: str, field: str, values: Sequence[float | None]) -> None:
    known = [value for value in values if value is not None]
    flagged = sum(is_outside(field, value) for value in known)
    print(f"{what:<34} {field:<20} {flagged:>5} {len(known):>5} {len(values) - len(known):>15}")


def is_outside(field: str, value: float | None) -> bool:
    least, greatest = BOUNDS[field]
    return value is not None and (value < least if least is not None else value > greatest)


def measured(wave: Wave, rate: int) -> dict[str, float | None]:
    clip, found = ClipAudio(np.asarray(wave, np.float32), rate), {}
    for name in DEFAULT_CHECKS:
        check = plugins.find("checks", name)
        found |= check.measure(clip, check.Settings())
    return found


def compared(clips: Sequence[tuple[Wave, int]]) -> list[dict[str, float | None]]:
    """Duplicates among some clips, which count as named in their order."""
    vectors = [duplicate.describe(ClipAudio(np.asarray(wave, np.float32), rate)) for wave, rate in clips]
    places = [place for place, vector in enumerate(vectors) if vector is not None]
    names = tuple(f"{place:06d}" for place in places)
    described = Described(names, ("",) * len(places), np.array([vectors[place] for place in places], np.float32))
    found = dict(zip(places, duplicate.compare(described, range(len(places)), duplicate.Settings()), strict=True))
    return [found.get(place, dict.fromkeys(duplicate.FIELDS)) for place in range(len(clips))]


# --- what is planted


def level(wave: Wave) -> float:
    """Root mean square of the loud half, which pauses do not lower."""
    power = np.square(wave[: len(wave) // 320 * 320].reshape(-1, 320), dtype=np.float64).mean(axis=1)
    return float(np.sqrt(np.mean(np.sort(power)[len(power) // 2 :])))


def planted_hum(mains_hz: int, wave: Wave, rate: int, rng: np.random.Generator) -> tuple[Wave, int]:
    seconds = np.arange(len(wave)) / rate
    hum = sum(np.sin(2 * np.pi * k * mains_hz * seconds + rng.uniform(0, 6)) / k for k in range(1, 5))
    return wave + 0.003 * hum / np.sqrt(np.mean(hum**2)), rate  # -50 dB


def planted_clipping(overdrive_db: float, wave: Wave, rate: int, rng: np.random.Generator) -> tuple[Wave, int]:
    ceiling = np.abs(wave).max() / 10 ** (overdrive_db / 20)
    return np.clip(wave, -ceiling, ceiling), rate


def planted_pops(wave: Wave, rate: int, rng: np.random.Generator) -> tuple[Wave, int]:
    wave = wave.copy()
    for _ in range(2):
        n = round(rng.uniform(0.04, 0.09) * rate)
        start = int(rng.integers(0, max(1, len(wave) - n)))
        puff = np.hanning(n) * np.sin(2 * np.pi * rng.uniform(35, 60) * np.arange(n) / rate)
        wave[start : start + n] += (4 * level(wave) * puff)[: len(wave) - start]
    return wave, rate


def planted_noise(snr_db: float, wave: Wave, rate: int, rng: np.random.Generator) -> tuple[Wave, int]:
    return wave + rng.standard_normal(len(wave)) * level(wave) * 10 ** (-snr_db / 20), rate


def planted_telephone(wave: Wave, rate: int, rng: np.random.Generator) -> tuple[Wave, int]:
    return resample(resample(wave, rate, 8000), 8000, rate), rate


def planted_copy(wave: Wave, rate: int, rng: np.random.Generator) -> tuple[Wave, int]:
    """Up to 100 ms less at either end, up to 12 dB quieter, and once through a lossy codec."""
    start, end = (int(rng.uniform(0, min(0.1, 0.03 * len(wave) / rate)) * rate) for _ in range(2))
    wave = wave[start : len(wave) - end] * 10 ** (rng.uniform(-12, 0) / 20)
    kind = ("VORBIS", "OPUS", "MPEG_LAYER_III")[int(rng.integers(3))]
    if kind == "OPUS":
        wave, rate = resample(wave.astype(np.float32), rate, 24_000), 24_000
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format="MP3" if kind == "MPEG_LAYER_III" else "OGG", subtype=kind)
    file.seek(0)
    return soundfile.read(file, dtype="float32")


def is_in(text: SpokenText, letters: str) -> bool:
    """Whether a text is written in the script of some letters."""
    of_script = {unicodedata.name(letter).split()[0] for letter in letters}
    return any(unicodedata.name(sign, "").split(" ")[0] in of_script for sign in text.text)


def written(text: str, letters: str) -> str:
    """A text letter for letter in another script, without the marks of its own."""
    signs = [sign for sign in unicodedata.normalize("NFC", text) if unicodedata.category(sign)[0] != "M"]
    return "".join(letters[ord(sign) % len(letters)] if sign.isalpha() else sign for sign in signs)


def one_word(text: str, letters: str, rng: np.random.Generator) -> str:
    words = text.split()
    at = int(rng.integers(len(words)))
    return " ".join([*words[:at], written(words[at], letters), *words[at + 1 :]])


SCRIPT = "foreign_script_share"
LETTERS = {
    "Latin": "abcdefghijklmnopqrstuvwxyz",
    "Cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "Devanagari": "कखगघङचछजझञटठडढणतथदधनपफबभमयरलवशषसह",
    "Telugu": "కఖగఘఙచఛజఝఞటఠడఢణతథదధనపఫబభమయరలవశషసహ",
}

Plant = Callable[[Wave, int, np.random.Generator], tuple[Wave, int]]
FAULTS: dict[str, tuple[str, Plant]] = {
    "hum 50 Hz, -50 dB": ("hum_db", partial(planted_hum, 50)),
    "hum 60 Hz, -50 dB": ("hum_db", partial(planted_hum, 60)),
    "clipping, 1 dB": ("clipped_share", partial(planted_clipping, 1)),
    "clipping, 3 dB": ("clipped_share", partial(planted_clipping, 3)),
    "two pops": ("pops", planted_pops),
    "white noise at 10 dB": ("snr_db", partial(planted_noise, 10)),
    "telephone": ("bandwidth_hz", planted_telephone),
}


# --- speed


def report_speed(files: list[Path]) -> None:
    measure_files(files[:1])  # loads the speech detector before any timing
    waves = [read_mono(file) for file in files]
    audio_s = sum(len(wave) / rate for wave, rate in waves)
    print(f"{len(files)} clips, {audio_s / 3600:.2f} h; hours of audio per core-hour, decoding in each:")
    costs = {name: cpu_s(partial(measure_files, files, (name,))) for name in (*DEFAULT_CHECKS, *COMPARISONS)}
    decode_s = cpu_s(partial(measure_files, files, ()))
    for name, seconds in {"decoding alone": decode_s, **costs}.items():
        print(f"{audio_s / seconds:8.0f} {name}")
    together_s = cpu_s(partial(measure_files, files))
    print(f"{audio_s / together_s:8.0f} all default checks together")
    decoded_s = cpu_s(partial(measure, waves))
    print(f"{audio_s / decoded_s:8.0f} and of clips that are decoded already")
    every_s = cpu_s(partial(measure_files, files, (*DEFAULT_CHECKS, *COMPARISONS)))
    print(f"{audio_s / every_s:8.0f} with decoding and what comparisons need")
    print(f"{gain_of_two(measure_files, files):8.2f} times as much in the same time by two processes")


def measure_files(files: Sequence[Path], checks: Sequence[str] = DEFAULT_CHECKS) -> None:
    measure(map(read_mono, files), checks)


def measure(waves: Iterable[tuple[np.ndarray, int]], checks: Sequence[str] = DEFAULT_CHECKS) -> None:
    modules = [plugins.find("checks", name) for name in checks]
    for wave, sample_rate in waves:
        clip = ClipAudio(wave, sample_rate)
        for module in modules:
            if hasattr(module, "describe"):
                module.describe(clip)
            else:
                module.measure(clip, module.Settings())


if __name__ == "__main__":
    main()
