"""What the rules share: the workspace, its names, and look-ups. No rule stands here."""

import shlex
import sys
from functools import cache
from pathlib import Path

from kaiku import plugins, stages
from kaiku.loading import (
    CODEC_FILES,
    DECODER_FILE,
    asr_device,
    base_folder,
    check_device,
    check_files,
    codec_device,
    codec_folder,
    noise_digests,
)
from kaiku.listing import visible_files
from kaiku.machine.memory import memory_mb
from kaiku.planning import keytext
from kaiku.review.files import path_of as review_path
from kaiku.selection import FEW_RECORDINGS
from kaiku.store import digest
from kaiku.workspace.start import start

WORKSPACE = start(config, main_process=workflow.is_main_process)
SETTINGS = WORKSPACE.settings
PYTHON = shlex.quote(sys.executable)
DERIVED = "|".join(SETTINGS.derived_corpora()) or "(?!)"
RECORDED = "|".join(corpus for corpus in SETTINGS.corpora if not SETTINGS.corpora[corpus].derived) or "(?!)"
"""Names of corpora that are made of others, and of those with recordings of their own, for rules of one kind."""


wildcard_constraints:
    corpus="[a-z0-9-]+",
    shard="[0-9]+",
    asr="[a-z0-9-]+",
    dataset="[a-z0-9-]+",
    codec="[a-z0-9-]+",
    run="[a-z0-9-]+",
    export="[a-z0-9-]+",


def program(name, arguments):
    """Shell text of a rule: the program of its name, its output in the log, its progress on the screen as well.

    `exec`, since a shell dies of SIGTERM at once, and Snakemake would take its program, which saves, for ended.
    The log is emptied, then appended to: an orphan's lines and its successor's do not overwrite each other.
    """
    call = f"{PYTHON} -m workflow_scripts.{name} --log {{log:q}} {arguments}"
    return f": > {{log:q}}; KAIKU_SCREEN=3 exec {call} 3>&2 >> {{log:q}} 2>&1"


def shards_of(pattern, corpora, **names):
    """Paths of an artefact for every shard of some corpora."""
    return [pattern.format(corpus=c, shard=s, **names) for c in corpora for s in WORKSPACE.shards(c)]


def measures_of(dataset, corpus, shard):
    """All that is measured of a shard's clips for a dataset."""
    found = [f"data/measures/{corpus}/{shard}.parquet"]
    asr = SETTINGS.datasets[dataset].asr
    if stages.text_checks(SETTINGS, asr):
        found.append(f"data/text_measures/{asr}/{corpus}/{shard}.parquet")
    if SETTINGS.checks_that_need("corpus"):
        found.append(f"data/comparisons/{corpus}/{shard}.parquet")
    return found


def used_by_text_checks(asr, field):
    """Whether a check of a transcriber's texts looks at a field of a clip's text."""
    return any(field in stages.uses(check) for check in stages.text_checks(SETTINGS, asr))


def text_check_models(asr):
    """The base models that a transcriber's texts are checked with."""
    named = (stages.check_model(SETTINGS, check) for check in stages.text_checks(SETTINGS, asr))
    return [name for name in named if name]


def text_check_devices(asr):
    """The `device` settings of the checks of a transcriber's texts."""
    return [check_device(SETTINGS, check) for check in stages.text_checks(SETTINGS, asr)]


def decisions_of(corpus, shard):
    """What people decided of a shard's clips, where they did."""
    return [str(path) for path in [review_path(corpus, shard)] if path.exists()]


def manifest_if(wanted, corpus, shard):
    """A shard's recordings, where something is said about them."""
    return [f"data/manifests/{corpus}/{shard}.audio.tsv"] if wanted else []


def selections_of(dataset):
    """The selection of a dataset, shard by shard."""
    pattern = "data/selection/{dataset}/{corpus}/{shard}.parquet"
    return shards_of(pattern, SETTINGS.datasets[dataset].corpora, dataset=dataset)


def clips_of(dataset, what):
    """A table of a dataset's clips, shard by shard."""
    return shards_of(f"data/{what}/{{corpus}}/{{shard}}.parquet", SETTINGS.datasets[dataset].corpora)


def all_measures_of(dataset):
    """All that is measured of a dataset's clips."""
    shards = [(c, s) for c in SETTINGS.datasets[dataset].corpora for s in WORKSPACE.shards(c)]
    return [path for corpus, shard in shards for path in measures_of(dataset, corpus, shard)]


def problems_of(dataset):
    """What the scan could not make sense of, of each corpus that was scanned."""
    paths = (f"data/manifests/{corpus}/problems.tsv" for corpus in SETTINGS.datasets[dataset].corpora)
    return [path for path in paths if Path(path).exists()]


def surveys():
    """Reports and verdicts of the datasets that ask for them."""
    found = [f"results/datasets/{name}/report.html" for name, own in SETTINGS.datasets.items() if own.is_surveyed]
    return found + [path for name in SETTINGS.datasets for path in gate_of(name)]


def gate_of(dataset):
    """What a dataset must have passed before anything is trained on it; nothing where its gates only tell."""
    return [f"results/datasets/{dataset}/passed.json"] if SETTINGS.datasets[dataset].gates.enforce else []


def followed_by(dataset, corpus, shard):
    """The selection that a derived shard's is led by: that of the shard it was made from."""
    origin = SETTINGS.origin(corpus)
    return f"data/selection/{dataset}/{origin}/{shard}.parquet" if origin != corpus else []


@cache
def noise_told(corpus):
    """A digest of the noise recordings that a derived corpus draws from; empty where it draws none.

    Not their paths as inputs: there may be thousands, and only what they hold matters.
    """
    noise = SETTINGS.corpora[corpus].derived.noise
    return digest.of_value(sorted(noise_digests(Path(noise.folder).expanduser()))) if noise and noise.folder else ""


def all_selections():
    """The selections of all datasets."""
    return [path for dataset in SETTINGS.datasets for path in selections_of(dataset)]


def packs_of(run, split):
    """The packs of a run's dataset and codec for one split."""
    own = SETTINGS.runs[run]
    pattern = "data/protos/{dataset}/{codec}/{split}/{corpus}-{shard}.protos"
    corpora = SETTINGS.datasets[own.dataset].corpora
    return shards_of(pattern, corpora, dataset=own.dataset, codec=own.codec, split=split)


def export_inputs(export):
    """All that an export is made of, beside its selections: clips, texts, and tokens where it names a codec."""
    own = SETTINGS.exports[export]
    dataset = SETTINGS.datasets[own.dataset]
    patterns = ["data/segments/{corpus}/{shard}.parquet", "data/segments/{corpus}/{shard}.tar"]
    patterns += [f"data/transcripts/{dataset.asr}/{{corpus}}/{{shard}}.parquet"]
    if own.codec:
        patterns += [f"data/tokens/{own.codec}/{{corpus}}/{{shard}}.{kind}" for kind in ("parquet", "npy")]
    return [path for pattern in patterns for path in shards_of(pattern, dataset.corpora)]


def codec_data(codec):
    """What a codec is fitted to; nothing once it is fitted as configured, unless it is to follow its data.

    Not `ancient()`: behind a planned input, Snakemake overlooks every other reason to run a job with ancient inputs.
    """
    own = SETTINGS.codecs[codec]
    if not own.follow_data and codec in WORKSPACE.fitted:
        return []
    return selections_of(own.dataset)


def codec_weights(codec):
    """Files whose change makes a codec's tokens stale: not its decoder, where that is a file of its own."""
    own = SETTINGS.codecs[codec]
    if own.dataset:
        return [f"models/codecs/{codec}/encoder.safetensors"]
    return [path for path in base_files(own.base) if Path(path).name != DECODER_FILE]


def given_tokens(codec, corpus, shard):
    """The manifest of a shard's tokens that came with its corpus, where they are this codec's; else nothing."""
    given = SETTINGS.corpora[corpus].tokens
    return f"data/manifests/{corpus}/{shard}.tokens.tsv" if given and given.codec == codec else []


def codec_whole(codec):
    """All of a codec: what speaking with it depends on."""
    own = SETTINGS.codecs[codec]
    if own.dataset:
        return [f"models/codecs/{codec}/{name}" for name in CODEC_FILES]
    return base_files(own.base)


def base_files(base):
    """What stands for a base model as an input: its fetch, or the files of its folder."""
    if SETTINGS.bases[base].source and not SETTINGS.bases[base].path:
        return [f"models/base/{base}/fetched.json"]
    root = SETTINGS.base_root(base)
    return list(map(str, visible_files(root)))


def check_inputs():
    """Files that checks of audio load: weights and reference clips."""
    found = []
    for check in SETTINGS.checks_that_need("audio"):
        loaded = check_files(SETTINGS, check)
        found += base_files(stages.check_model(SETTINGS, check)) if "model" in loaded else []
        found += [str(loaded["reference"])] if "reference" in loaded else []
    return found


def check_folders():
    """Folders of the models that checks of audio load."""
    loaded = [check_files(SETTINGS, check) for check in SETTINGS.checks_that_need("audio")]
    return [files["model"] for files in loaded if "model" in files]


def speaking_folders(run):
    """Folders of a run's model and of its codec: what speaking with it loads."""
    return Path(f"models/{run}/merged"), codec_folder(SETTINGS, SETTINGS.runs[run].codec)


def checkpoints_of(run):
    """Checkpoints of a run and of the runs it was made from, newest first."""
    return [f"models/{name}/checkpoints" for name in SETTINGS.lineage(run)]


def run_base(run):
    """What a run starts from, as inputs: another run's model, a base model, or nothing."""
    base = SETTINGS.runs[run].base
    if base is None:
        return []
    return f"models/{base}/merged" if base in SETTINGS.runs else base_files(base)


def base_option(run):
    """The base's folder as a program's option."""
    folder = base_folder(SETTINGS, run)
    return f"--base {shlex.quote(str(folder))}" if folder else ""


def gpus(*devices):
    """GPUs that a job with these `device` settings asks for; it claims one, or does without where there is none."""
    return int(any(device != "cpu" for device in devices))


@cache
def key(stage, *names):
    """The one canonical text of everything but a stage's inputs that its result depends on."""
    made = getattr(stages, stage)(SETTINGS, *names)
    return made if isinstance(made, str) else made.text()


def recordings_told(corpus):
    """Recordings of a corpus as far as they matter to its split: above FEW_RECORDINGS all numbers are one."""
    return min(WORKSPACE.recordings(corpus) or FEW_RECORDINGS + 1, FEW_RECORDINGS + 1)


def told(w):
    """What else a shard's selection depends on: shards of a subset by hours, and speakers who withdrew their consent."""
    return keytext.told(SETTINGS, w.dataset, w.corpus, w.shard, lambda corpus: len(WORKSPACE.shards(corpus)))


def shards_option(dataset):
    """Shards of a dataset as a program's option, where its subset is spread over them."""
    subset = SETTINGS.datasets[dataset].subset
    return f"--shards {len(selections_of(dataset))}" if subset and subset.hours else ""
