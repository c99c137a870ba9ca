"""Configured plug-ins with their weights: codecs, families and checks, as programs use them."""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from kaiku import plugins, stages
from kaiku.adoption import Geometry
from kaiku.augmentation.noises import noise_files
from kaiku.checks import Measures
from kaiku.codecs import Codec
from kaiku.errors import KaikuError
from kaiku.families import Family
from kaiku.machine.memory import memory_mb, weight_bytes
from kaiku.machine.workers import needed
from kaiku.sections import AsrSettings, CodecSettings, RunSettings
from kaiku.settings import Settings, plugin_settings
from kaiku.store import atomic, digest, statcache

DECODER_FILE = "decoder.safetensors"
"""The half of a codec that no token depends on, in codecs of two halves, fitted or given."""
IDENTITIES, NOISES = Path("work/codecs"), Path("work/noises")
WEIGHTS = Path("work/weights")
"""What was digested before: of gigabytes that every job of a stage depends on."""
FORMAT = 2
"""Goes up when identities are remembered differently."""
CODEC_FILES = ("encoder.safetensors", DECODER_FILE, "config.json", "metrics.json", "key.json")
"""What fitting a codec makes; key.json holds the key it was fitted under."""


@dataclass(frozen=True)
class Identity:
    """What keys, containers and given tokens need of a codec without loading its model."""

    digest: str
    geometry: Geometry

    @property
    def codebooks(self) -> int:
        """Codes in a frame."""
        return len(self.geometry.codebook_sizes)


def load_codec(own: CodecSettings, folder: Path) -> Codec:
    """The codec of this kind whose files stand in `folder`."""
    if not folder.is_dir():
        raise KaikuError(f"{folder}, the codec's weights, is not there", remedy="Fetch or pull it, or mend its path.")
    module = plugins.find("codecs", own.kind)
    return module.load(module.Settings.model_validate(own.options), folder)


def codec_files(own: CodecSettings) -> tuple[str, ...] | None:
    """Names of a codec's own files in its folder; None where all of the folder is the codec's."""
    return getattr(plugins.find("codecs", own.kind), "FILES", None)


def codec_device(own: CodecSettings) -> str:
    """Where a codec runs as configured; `cpu` for a kind that offers no choice."""
    return getattr(plugins.find("codecs", own.kind).Settings.model_validate(own.options), "device", "cpu")


def asr_device(own: AsrSettings) -> str:
    """Where a transcriber runs as configured; `cpu` for a kind that offers no choice."""
    return getattr(_asr_options(own), "device", "cpu")


def asr_cores(own: AsrSettings) -> int:
    """CPU cores of a job that transcribes: the threads of each of the workers that are asked for."""
    options = _asr_options(own)
    workers = getattr(options, "workers", 1)
    return getattr(options, "threads", 1) * (1 if workers == "auto" else workers)


def asr_gpus(own: AsrSettings) -> int:
    """GPUs of a job that transcribes, where it runs on any."""
    return getattr(_asr_options(own), "gpus", 1)


def asr_memory_mb(settings: Settings, own: AsrSettings) -> int:
    """MB of its node that a job takes that transcribes: with its model, where it has one that is there."""
    if own.model is None:
        return 1000
    options, folder = _asr_options(own), settings.base_root(own.model)
    workers = getattr(options, "workers", 1)
    clips = getattr(options, "batch_size", 1)
    on_cpu = needed(weight_bytes(folder), 1 if workers == "auto" else workers, clips)
    return max(memory_mb(1000, folder), round(on_cpu / 10**6) if asr_device(own) == "cpu" else 0)


def check_device(settings: Settings, check: str) -> str:
    """Where a check runs as configured; `cpu` for one that offers no choice."""
    return getattr(_check_options(settings, check), "device", "cpu")


def check_files(settings: Settings, check: str) -> dict[str, Path]:
    """What a check loads beside code: the folder of its `model`, the file of its `reference`."""
    options = _check_options(settings, check)
    found: dict[str, Path] = {}
    if base := getattr(options, "model", None):
        found["model"] = settings.base_root(base)
    if reference := getattr(options, "reference", None):
        found["reference"] = Path(reference).expanduser()
    return found


def check_digests(settings: Settings, check: str) -> dict[str, str]:
    """Digests of what a check loads, for its keys. Raises KaikuError where something is not there."""
    found = {}
    for name, path in check_files(settings, check).items():
        if not path.exists():
            raise KaikuError(
                f"checks.{check}.{name}: {path} is not there", remedy="Mend its path, fetch it, or leave the check out."
            )
        found[name] = weights_digest(path) if path.is_dir() else digest.of_file(path)
    return found


def examine_check(settings: Settings, check: str, languages: Collection[str]) -> None:
    """Raise KaikuError where a check could measure no text in these languages (BCP 47) with what it is to load.

    Nothing is loaded for that, so that a wrong model is told before another check's figures are waited for.
    """
    module = plugins.find("checks", check)
    if hasattr(module, "examine"):
        with _told_of(check):
            module.examine(_check_options(settings, check), check_files(settings, check).get("model"), languages)


def load_check(settings: Settings, check: str) -> Callable[[Any], Measures]:
    """A check ready to measure clips or texts; for one that loads something, its device was claimed before."""
    module, options = plugins.find("checks", check), _check_options(settings, check)
    if not hasattr(module, "load"):
        return partial(module.measure, settings=options)
    with _told_of(check):
        return module.load(options, check_files(settings, check).get("model")).measure


@contextmanager
def _told_of(check: str) -> Iterator[None]:
    """Name the check in what is told of its files."""
    try:
        yield
    except KaikuError as fault:
        raise type(fault)(f"checks.{check}: {fault.found}", expected=fault.expected, remedy=fault.remedy) from fault


def _asr_options(own: AsrSettings) -> Any:
    return plugins.find("asr", own.kind).Settings.model_validate(own.options)


def _check_options(settings: Settings, check: str) -> Any:
    return plugin_settings("checks", check, settings.checks[check], f"checks.{check}")


def on_cpu(own: CodecSettings) -> CodecSettings:
    """The same codec kept off any GPU: for those who ask only what it is, and have claimed none."""
    if codec_device(own) == "cpu":
        return own
    return own.model_copy(update={"options": {**own.options, "device": "cpu"}})


def codec_identity(own: CodecSettings, folder: Path) -> Identity:
    """A codec's digest and the form of its tokens; the model is loaded once, as for `weights_digest`, on the CPU."""
    own = on_cpu(own)
    seen = [FORMAT, own.kind, own.options, str(folder.resolve()), statcache.signature(folder)]
    cached = IDENTITIES / f"{digest.of_value(seen)}.json"
    if cached.exists():
        known = json.loads(cached.read_text())
        return Identity(known["digest"], Geometry(tuple(known["codebook_sizes"]), known["hop"], known["sample_rate"]))
    codec = load_codec(own, folder)
    geometry = Geometry(tuple(codec.codebook_sizes), codec.hop, codec.sample_rate)
    atomic.write_json(cached, {"digest": codec.digest, **asdict(geometry)})
    return Identity(codec.digest, geometry)


def weights_digest(folder: Path) -> str:
    """Digest of a model's folder; its files are read once for these names, sizes, times and inodes."""
    if not folder.is_dir():
        raise KaikuError(f"{folder}, a model's folder, is not there", remedy="Fetch or pull it, or mend its path.")
    seen = [str(folder.resolve()), statcache.signature(folder)]
    cached = WEIGHTS / f"{digest.of_value(seen)}.json"
    if not cached.exists():
        atomic.write_json(cached, {"folder": str(folder), "digest": digest.of_tree(folder)})
    return json.loads(cached.read_text())["digest"]


def noise_digests(folder: Path) -> dict[str, Path]:
    """The recordings of a noise folder by the digest of their bytes, which are read once, as for `weights_digest`."""
    files = noise_files(folder)
    seen = [[str(path.resolve()), statcache.signature(path)] for path in files]
    cached = NOISES / f"{digest.of_value(seen)}.json"
    if not cached.exists():
        atomic.write_json(cached, [digest.of_file(path) for path in files])
    return dict(zip(json.loads(cached.read_text()), files, strict=True))


def load_family(own: RunSettings) -> Family:
    """A run's family with the run's options."""
    module = plugins.find("families", own.family)
    return module.load(module.Settings.model_validate(own.options))


def base_folder(settings: Settings, run: str) -> Path | None:
    """The folder a run starts from: a base model, the merged model of another run, or None for nothing."""
    base = settings.runs[run].base
    if base is None:
        return None
    return Path(f"models/{base}/merged") if base in settings.runs else settings.base_root(base)


def codec_folder(settings: Settings, codec: str) -> Path:
    """Where a codec's files stand."""
    own = settings.codecs[codec]
    return Path(f"models/codecs/{codec}") if own.dataset else settings.base_root(own.base)


def is_fitted(settings: Settings, codec: str) -> bool:
    """Whether a fitted codec stands there whole, made under the configuration and code of now."""
    folder = codec_folder(settings, codec)
    if not all((folder / name).is_file() and (folder / name).stat().st_size for name in CODEC_FILES):
        return False
    return (folder / "key.json").read_text() == stages.fit_codec(settings, codec).text()
