"""A workspace of a few short clips, cut, transcribed, measured and selected by the programs themselves."""

import json
from pathlib import Path

import numpy as np
import soundfile

from kaiku import settings as configuration
from kaiku.planning.job import Job
from kaiku.planning.keytext import PresentKeys
from kaiku.planning.staleness import artefacts
from kaiku.settings import Settings
from kaiku.workspace import provenance
from kaiku.workspace.start import scan_corpus
from workflow_scripts import measure_segments, segment_recordings, select_segments, transcribe_segments

PROGRAMS = {
    "segment_recordings": segment_recordings,
    "transcribe_segments": transcribe_segments,
    "measure_segments": measure_segments,
    "select_segments": select_segments,
}
SELECTION = "data/selection/all/voices/000.parquet"
CONFIG = {
    "system": "small",
    "corpora": {
        "voices": {"path": "raw", "layout": "wav_lab", "language": "fi", "speaker": "aino", "licence": "CC0-1.0"}
    },
    "checks": {"duration": {}, "level": {}},
    "datasets": {"all": {"corpora": ["voices"], "split": {"by": "clip", "val": 0}, "select": {"peak_db": {"max": 0}}}},
}


def configure(**changed) -> Settings:
    """The configuration with other values at its top, as the workflow resolves it."""
    settings = configuration.load({**CONFIG, **changed})
    Path("work").mkdir(exist_ok=True)
    Path("work/settings.json").write_text(json.dumps(settings.model_dump(mode="json")))
    return settings


def speak(name: str, level: float = 0.5, text: str | None = "sana") -> None:
    """A clip of 0.5 s at a level of its own, with its text."""
    Path("raw").mkdir(exist_ok=True)
    tone = level * np.sin(np.arange(8000) * 0.1)
    soundfile.write(f"raw/{name}.wav", tone.astype("float32"), 16000, subtype="FLOAT")
    if text is not None:
        Path(f"raw/{name}.lab").write_text(text + "\n")


def jobs(settings: Settings) -> list[Job]:
    """The jobs of the one shard, each as recorded where it was made, with nothing yet said against it."""
    (place,) = [type("Place", (), {"corpus": "voices", "shard": "000"})]
    rules = ("segment_recordings", "transcribe_segments", "measure_segments")
    found = []
    for artefact in artefacts(settings, place):
        if artefact.rule in rules:
            arguments = dict(zip(artefact.arguments[::2], artefact.arguments[1::2], strict=True))
            inputs = [
                arguments[name] for name in ("--manifest", "--segments", "--audio", "--texts") if name in arguments
            ]
            outputs = [str(artefact.rows_path)]
            if artefact.rule == "segment_recordings":
                inputs, outputs = [arguments["--manifest"]], [*outputs, arguments["--audio"]]
            found.append(job(artefact.rule, dict(artefact.names), inputs, outputs, artefact.arguments))
    transcripts, measures = "data/transcripts/given/voices/000.parquet", "data/measures/voices/000.parquet"
    inputs = ["data/segments/voices/000.parquet", transcripts, measures]
    called = [word for pair in zip(("--segments", "--transcripts", "--measures"), inputs, strict=True) for word in pair]
    called += ["--dataset", "all", "--corpus", "voices", "--recordings", "6", "--rows", SELECTION]
    names = {"dataset": "all", "corpus": "voices", "shard": "000"}
    return [*found, job("select_segments", names, inputs, [SELECTION], called)]


def job(rule: str, names: dict, inputs: list[str], outputs: list[str], arguments) -> Job:
    """A job with the log that its rule would give it."""
    return Job(
        rule, names, tuple(inputs), tuple(outputs), f"logs/{rule}/{'.'.join(names.values())}.log", tuple(arguments)
    )


def scan(settings: Settings) -> None:
    """Bring the manifests up to date."""
    scan_corpus(settings, "voices", shards=1)


def run(settings: Settings) -> None:
    """Make everything there is, as the workflow would, with records of how."""
    scan(settings)
    present = PresentKeys(settings)
    for made in jobs(settings):
        assert PROGRAMS[made.rule].main([*made.arguments, "--log", made.log]) == 0
        for output in made.outputs:
            key = present.of(made.rule, made.names)
            provenance.restore(output, made.rule, [repr(key)], made.inputs)
