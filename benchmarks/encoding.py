"""How fast audio becomes tokens on one core, beside the bare FFT of the same frames and, if asked, beside Mimi.

python benchmarks/encoding.py --corpus data/raw/aino                    fits an env codec on the corpus first
python benchmarks/encoding.py --corpus data/raw/aino --codec models/toy-codec
python benchmarks/encoding.py --corpus data/raw/aino --mimi 20          also 20 s through Mimi's architecture
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))  # before numpy

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kaiku.audio.decode import read_mono
from kaiku.audio.resample import resample
from kaiku.codecs import env, mimi
from kaiku.codecs.env.codec import EnvCodec
from kaiku.codecs.env.quantiser import framed
from kaiku.errors import KaikuError
from kaiku.progress import track

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".webm")
REPEATS = 3


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with recordings")
    parser.add_argument("--codec", type=Path, help="folder of a fitted env codec; without it one is fitted here")
    parser.add_argument("--limit_s", type=float, default=600, help="seconds of the corpus to use")
    parser.add_argument("--mimi", type=float, default=0, metavar="SECONDS", help="audio to pass through Mimi (79 M)")
    args = parser.parse_args(argv)
    codec = env.load(env.Settings(), args.codec) if args.codec else None
    clips = read_corpus(args.corpus, env.Settings().sample_rate, args.limit_s)
    codec = codec or fitted(clips)
    audio_s = sum(map(len, clips)) / codec.sample_rate
    encode_s = shortest(lambda: [codec.encode(wav) for wav in clips])
    fft_s = shortest(lambda: [np.fft.rfft(framed(wav, codec.hop)) for wav in clips])
    print(f"{len(clips)} recordings, {audio_s:.1f} s, {codec.name} at {codec.sample_rate / codec.hop:g} frames/s")
    print(f"encode {audio_s / encode_s:10,.0f} x real time on one core (CPU time)")
    print(f"       {fft_s / encode_s:.1%} of the limit, one FFT of each frame at {audio_s / fft_s:,.0f} x real time")
    if args.mimi:
        mimi_rate = mimi_real_time(clips, codec.sample_rate, args.mimi)
        print(f"       {audio_s / encode_s / mimi_rate:,.0f} times Mimi's encoder at {mimi_rate:.1f} x real time")


def shortest(run: Callable[[], object]) -> float:
    """CPU seconds that the cheapest of several runs took."""
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds)


def read_corpus(folder: Path, sample_rate: int, limit_s: float) -> list[np.ndarray]:
    """Recordings of a folder in order of name, at the codec's rate, up to `limit_s`."""
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]
    clips, wanted = [], int(limit_s * sample_rate)
    for path in track(paths, total=len(paths), label="decoding", unit="file"):
        if wanted == 0:
            break
        clips.append(resample(*read_mono(path), sample_rate)[:wanted])
        wanted -= len(clips[-1])
    if not clips:
        raise KaikuError(f"{folder} holds no recording", expected=f"files named {', '.join(SUFFIXES)}")
    return clips


def fitted(clips: list[np.ndarray]) -> EnvCodec:
    """A codec of the default layout with an idle post-net, which encoding does not use."""
    with tempfile.TemporaryDirectory() as folder:
        return env.fit(env.Settings(post_steps=0), clips, Path(folder))


def mimi_real_time(clips: list[np.ndarray], sample_rate: int, seconds: float) -> float:
    """Real-time factor of a full-size Mimi with 8 codebooks and random weights, which cost as much as trained ones."""
    import torch
    from transformers import MimiConfig, MimiModel

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        MimiModel(MimiConfig()).save_pretrained(folder)
        codec = mimi.load(mimi.Settings(device="cpu"), Path(folder))
    wav = resample(np.concatenate(clips)[: int(seconds * sample_rate)], sample_rate, codec.sample_rate)
    return len(wav) / codec.sample_rate / shortest(lambda: codec.encode(wav))


if __name__ == "__main__":
    main()
