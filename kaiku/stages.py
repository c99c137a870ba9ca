"""What each stage's result depends on: its parameters, the modules that compute it, the libraries and weights they use.

One function a stage. A rule declares the key's text as its `params: key`, the job looks items up under the same key.
"""

from typing import Any

from kaiku import plugins
from kaiku.augmentation.settings import sound_params
from kaiku.selection import DECIDES
from kaiku.settings import Settings, layout_settings, plugin_settings
from kaiku.store.keys import StageKey
from kaiku.strict import key_params

READING = ("kaiku.audio.decode", "kaiku.audio.flac", "kaiku.audio.resample")
"""How a clip's samples are read, from the tar or from the raw file."""
ITEM_RULES = (
    "segment_recordings",
    "augment_segments",
    "transcribe_segments",
    "measure_segments",
    "measure_texts",
    "describe_clips",
    "encode_tokens",
)
"""Rules that compute items, shard by shard."""
NORMALISING = "kaiku.text.normalise"
"""How a transcript's raw text becomes its normalised one."""


def scan(settings: Settings, corpus: str) -> StageKey:
    """How a corpus' folder is read."""
    layout = settings.corpora[corpus].layout
    module = plugins.module_name("layouts", layout)
    return StageKey("scan", key_params(layout_settings(settings, corpus)), (module,))


def segment(settings: Settings, corpus: str) -> StageKey:
    """Recordings to clips; inputs of an item: digest of the recording's bytes."""
    own = settings.corpora[corpus]
    modules = (*_SEGMENTATION, *_NOTCH) if own.segment.notch_hum else _SEGMENTATION
    return StageKey("segment", {**key_params(own.segment), "mode": segment_mode(settings, corpus)}, modules)


def segment_mode(settings: Settings, corpus: str) -> str:
    """`identity` for a corpus whose recordings are clips already, else `vad`."""
    own = settings.corpora[settings.origin(corpus)]
    if own.segment.mode != "auto":
        return own.segment.mode
    return "identity" if plugins.find("layouts", own.layout).PRECUT else "vad"


def augment(settings: Settings, corpus: str) -> StageKey:
    """Clips to clips derived from them; inputs of an item: digest of the clip's audio, and of the noise it draws."""
    own = settings.corpora[corpus].derived
    noise = ("kaiku.augmentation.noises",) if own.noise and own.noise.folder else ()
    return StageKey("augment", sound_params(own), ("kaiku.augmentation.sound", *noise, *READING))


def inherit(settings: Settings) -> StageKey:
    """Transcripts to those of clips derived from theirs."""
    return StageKey("inherit", {}, ("kaiku.augmentation.follow",))


def transcribe(settings: Settings, asr: str, weights: str = "") -> StageKey:
    """Clips to texts; inputs of an item: its given texts and times, or the digest of its audio.

    Normalising is apart from hearing: an edited word of a language fills a column anew, and no clip is heard again.
    """
    own = settings.asr[asr]
    options = plugin_settings("asr", own.kind, own.options, f"asr.{asr}.options")
    reading = READING if plugins.find("asr", own.kind).NEEDS == "audio" else ()
    modules = (plugins.module_name("asr", own.kind), *reading)
    weights_of = {"model": weights} if weights else {}
    return StageKey("transcribe", key_params(options), modules, weights_of, labelling=(NORMALISING,))


def measure(settings: Settings, check: str, weights: dict[str, str] | None = None) -> StageKey:
    """Clips to one check's measures; inputs of an item: digest of the clip's audio. weights: digests of its files."""
    modules = (plugins.module_name("checks", check), *READING)
    return StageKey("measure", _check_params(settings, check), modules, weights or {})


def measures(settings: Settings) -> str:
    """Keys of all checks of audio as one text: what the rule that runs them declares."""
    return "\n".join(measure(settings, check).text() for check in settings.checks_that_need("audio"))


def text_checks(settings: Settings, asr: str) -> list[str]:
    """The configured checks of a transcriber's texts; none compares a transcriber with itself."""
    return [check for check in settings.checks_that_need("text") if second_asr(settings, check) != asr]


def second_asr(settings: Settings, check: str) -> str | None:
    """The transcriber that a check compares texts with."""
    return getattr(_check_options(settings, check), "asr", None)


def second_asrs(settings: Settings, asr: str) -> list[str]:
    """Transcribers that a transcriber's texts are compared with, sorted."""
    named = {second_asr(settings, check) for check in text_checks(settings, asr)}
    return sorted(named - {None})


def check_model(settings: Settings, check: str) -> str | None:
    """The base model that a check measures with."""
    return getattr(_check_options(settings, check), "model", None)


def uses(check: str) -> tuple[str, ...]:
    """Fields of a clip's text that a check of texts looks at beside the text and its language."""
    return getattr(plugins.find("checks", check), "USES", ())


def measure_text(settings: Settings, check: str, weights: dict[str, str] | None = None) -> StageKey:
    """Texts to one check's measures; inputs of an item: the text, its language, and what the check uses beside."""
    modules = (plugins.module_name("checks", check), *(READING if "audio" in uses(check) else ()))
    return StageKey("measure_text", _check_params(settings, check), modules, weights or {})


def text_measures(settings: Settings, asr: str) -> str:
    """Keys of all checks of a transcriber's texts as one text."""
    return "\n".join(measure_text(settings, check).text() for check in text_checks(settings, asr))


def describe(settings: Settings, check: str) -> StageKey:
    """Clips to what one comparison needs of them; inputs of an item: digest of the clip's audio. No setting matters."""
    return StageKey("describe", {"check": check}, (plugins.module_name("checks", check), *READING))


def descriptions(settings: Settings) -> str:
    """Keys of all descriptions as one text."""
    return "\n".join(describe(settings, check).text() for check in settings.checks_that_need("corpus"))


def compare(settings: Settings, check: str) -> StageKey:
    """Descriptions of all clips of a corpus to measures."""
    return StageKey("compare", _check_params(settings, check), (plugins.module_name("checks", check),))


def comparisons(settings: Settings) -> str:
    """Keys of all comparisons as one text."""
    return "\n".join(compare(settings, check).text() for check in settings.checks_that_need("corpus"))


def fit_codec(settings: Settings, codec: str) -> StageKey:
    """A dataset's training clips to a codec."""
    own = settings.codecs[codec]
    params = {**_codec_options(settings, codec), "dataset": own.dataset, "follow_data": own.follow_data}
    return StageKey("fit_codec", params, (plugins.module_name("codecs", own.kind), "kaiku.drawing", *READING))


def encode(settings: Settings, codec: str, weights: str = "") -> StageKey:
    """Clips to tokens; inputs of an item: digest of the clip's audio."""
    own = settings.codecs[codec]
    module = plugins.find("codecs", own.kind)
    encoder = getattr(module, "ENCODER_MODULE", plugins.module_name("codecs", own.kind))
    params = {} if own.dataset else _codec_options(settings, codec)
    return StageKey("encode", params, (encoder, *READING), {"codec": weights} if weights else {})


def adopt(settings: Settings, corpus: str) -> StageKey:
    """Tokens that came with a corpus to tokens of its codec; inputs of an item: digests of its audio and of its file.

    Neither code nor weights of the codec count: what was given is not theirs to change.
    """
    return StageKey("adopt", {}, ("kaiku.adoption",))


def encode_shard(settings: Settings, codec: str, corpus: str) -> StageKey:
    """What a job that encodes declares: the codec's key, and how tokens of it that a corpus brought are taken."""
    key, tokens = encode(settings, codec), settings.corpora[corpus].tokens
    if tokens is None or tokens.codec != codec:
        return key
    params = {**key.params, "tokens": key_params(tokens)}
    return StageKey(key.stage, params, (*key.modules, *adopt(settings, corpus).modules))


def select(settings: Settings, dataset: str, corpus: str, shards: int | None = None, *withdrawn: str) -> StageKey:
    """Segments, transcripts and measures to decisions about one corpus' clips.

    shards: of the dataset, where its subset asks; withdrawn: speakers of the shard who took their consent back.
    """
    own = key_params(settings.datasets[dataset].of(corpus))
    params = {name: own[name] for name in DECIDES} | {"withdrawn": list(withdrawn)}
    follows = ("kaiku.augmentation.follow",) if settings.corpora[corpus].derived else ()
    modules = ("kaiku.selection", "kaiku.review.decisions", *follows)
    return StageKey("select", params | ({"shards": shards} if shards else {}), modules)


def survey(settings: Settings, dataset: str) -> StageKey:
    """A dataset's decisions and what they were made by to its report."""
    own = settings.datasets[dataset]
    params = {**key_params(own), "licences": _licences(settings, dataset)}
    del params["mix"]  # a training's
    return StageKey("survey", params, ("kaiku.report.survey", "kaiku.report.dataset"))


def pass_gates(settings: Settings, dataset: str) -> StageKey:
    """A dataset's account to its verdict."""
    return StageKey("pass_gates", {"dataset": dataset}, ("kaiku.selection.gates",))


def pack(settings: Settings, dataset: str, codec: str) -> StageKey:
    """Selection and tokens to protos."""
    return StageKey("pack", {"dataset": dataset, "codec": codec}, ("kaiku.packing",))


def mix(settings: Settings, run: str) -> dict[str, float]:
    """How often a run hears each clip of a corpus in an epoch, where not once."""
    return {
        corpus: weight for corpus, weight in settings.datasets[settings.runs[run].dataset].mix.items() if weight != 1
    }


def train(settings: Settings, run: str, inputs: dict[str, str] | None = None) -> StageKey:
    """Protos and a base to checkpoints; inputs: digests of packs and base."""
    own = settings.runs[run]
    params = {
        "family": own.family,
        "options": _family_options(settings, run),
        "lora": key_params(own.lora) if own.lora else None,
        "train": key_params(own.train),
    }
    if weights := mix(settings, run):
        params["mix"] = weights
    return StageKey("train", params, (_family(settings, run), "kaiku.train.fit"), inputs or {})


def merge(settings: Settings, run: str, inputs: dict[str, str] | None = None) -> StageKey:
    """A checkpoint to a model."""
    params = {"merge": key_params(settings.runs[run].merge), "options": _family_options(settings, run)}
    return StageKey("merge", params, (_family(settings, run), "kaiku.train.merge"), inputs or {})


def synthesize(settings: Settings, run: str, inputs: dict[str, str] | None = None) -> StageKey:
    """A model to spoken sentences."""
    params = {"samples": key_params(settings.runs[run].samples), "options": _family_options(settings, run)}
    modules = (_family(settings, run), _codec_module(settings, run), "kaiku.synthesis")
    return StageKey("synthesize", params, modules, inputs or {})


def evaluate(settings: Settings, run: str, inputs: dict[str, str] | None = None) -> StageKey:
    """A model and its samples to figures."""
    params = {"samples": key_params(settings.runs[run].samples), "options": _family_options(settings, run)}
    return StageKey("evaluate", params, (_family(settings, run), "kaiku.metrics.evaluation"), inputs or {})


def report(settings: Settings, run: str) -> StageKey:
    """Everything a run came to, as a page."""
    return StageKey("report", _origins(settings, run), ("kaiku.report.report",))


def package(settings: Settings, run: str) -> StageKey:
    """What one hands over."""
    return StageKey("package", _origins(settings, run), ("kaiku.package",))


def export(settings: Settings, name: str, inputs: dict[str, str] | None = None) -> StageKey:
    """A dataset in a form that others read; inputs: a digest of all that stands in it, names and texts as they come."""
    own = settings.exports[name]
    options = key_params(plugin_settings("exports", own.format, own.options, f"exports.{name}.options"))
    modules = (plugins.module_name("exports", own.format), "kaiku.exports._licences", *READING)
    params = {**key_params(own), "options": options, "licences": _licences(settings, own.dataset)}
    return StageKey("export", params, modules, inputs or {}, labelling=_SAYING)


def of(settings: Settings) -> dict[str, list[StageKey]]:
    """The keys of everything that a configuration asks for, by the rule that makes it; inputs are left out."""
    datasets, runs = settings.datasets, settings.runs
    used = {corpus for own in datasets.values() for corpus in own.corpora}
    corpora, derived = (sorted(c for c in used if bool(settings.corpora[c].derived) == are) for are in (False, True))
    codecs = sorted({own.codec for own in runs.values()})
    taken = {own.asr for own in datasets.values()}
    asrs = sorted(taken.union(*(second_asrs(settings, asr) for asr in taken)))
    found = {
        "segment_recordings": [segment(settings, corpus) for corpus in corpora],
        "augment_segments": [augment(settings, corpus) for corpus in derived],
        "inherit_transcripts": [inherit(settings)] if derived else [],
        "transcribe_segments": [transcribe(settings, asr) for asr in asrs],
        "measure_segments": [measure(settings, check) for check in settings.checks_that_need("audio")],
        "measure_texts": [measure_text(settings, check) for check in settings.checks_that_need("text")],
        "describe_clips": [describe(settings, check) for check in settings.checks_that_need("corpus")],
        "compare_clips": [compare(settings, check) for check in settings.checks_that_need("corpus")],
        "train_codec": [fit_codec(settings, codec) for codec in codecs if settings.codecs[codec].dataset],
        "encode_tokens": [
            *(encode(settings, codec) for codec in codecs),
            *(adopt(settings, c) for c in corpora if (given := settings.corpora[c].tokens) and given.codec in codecs),
        ],
        "select_segments": [select(settings, name, corpus) for name, own in datasets.items() for corpus in own.corpora],
        "report_dataset": [survey(settings, dataset) for dataset, own in datasets.items() if own.is_surveyed],
        "pass_gates": [pass_gates(settings, dataset) for dataset, own in datasets.items() if own.gates.enforce],
        "pack_protos": [pack(settings, own.dataset, own.codec) for own in runs.values()],
        "train_model": [train(settings, run) for run in runs],
        "merge_model": [merge(settings, run) for run in runs],
        "synthesize_samples": [synthesize(settings, run) for run in runs],
        "evaluate_model": [evaluate(settings, run) for run in runs],
        "write_report": [report(settings, run) for run in runs],
        "package_model": [package(settings, run) for run, own in runs.items() if own.package],
        "export_dataset": [export(settings, name) for name in settings.exports],
    }
    return {rule: keys for rule, keys in found.items() if keys}


def computing_modules() -> list[str]:
    """Every module of the tree whose digest enters a key: what `code.lock` lists.

    Layouts are none: what they find stands in manifests, which are written anew, where they differ, at every start.
    """
    found = {*READING, *_SEGMENTATION, *_NOTCH, NORMALISING, "kaiku.adoption", "kaiku.selection"}
    found |= {"kaiku.review.decisions", "kaiku.packing", "kaiku.drawing"}
    found |= {f"kaiku.augmentation.{name}" for name in ("sound", "noises", "follow")}
    found |= {"kaiku.train.fit", "kaiku.train.merge", "kaiku.synthesis", "kaiku.metrics.evaluation"}
    found |= {"kaiku.report.report", "kaiku.report.survey", "kaiku.report.dataset", "kaiku.selection.gates"}
    found |= {"kaiku.package", "kaiku.exports._licences", *_SAYING}
    for kind in ("checks", "asr", "codecs", "families", "exports"):
        for name, module in plugins.known(kind).items():
            if module.startswith("kaiku."):
                found.add(module)
                encoder = getattr(plugins.find(kind, name), "ENCODER_MODULE", None)
                found |= {encoder} if encoder else set()
    return sorted(found)


_SEGMENTATION = ("kaiku.audio.segmentation",)
_NOTCH = ("kaiku.audio.notch",)
_SAYING = ("kaiku.exports._names", "kaiku.exports._texts")


def _check_options(settings: Settings, check: str) -> Any:
    return plugin_settings("checks", check, settings.checks[check], f"checks.{check}")


def _check_params(settings: Settings, check: str) -> dict[str, Any]:
    return {"check": check, **key_params(_check_options(settings, check))}


def _codec_options(settings: Settings, codec: str) -> dict[str, Any]:
    own = settings.codecs[codec]
    return key_params(plugin_settings("codecs", own.kind, own.options, f"codecs.{codec}.options"))


def _origins(settings: Settings, run: str) -> dict[str, Any]:
    return {"lineage": settings.lineage(run), "licences": settings.licences(run)}


def _licences(settings: Settings, dataset: str) -> dict[str, str]:
    return {corpus: settings.corpora[corpus].licence for corpus in settings.datasets[dataset].corpora}


def _family_options(settings: Settings, run: str) -> dict[str, Any]:
    own = settings.runs[run]
    return key_params(plugin_settings("families", own.family, own.options, f"runs.{run}.options"))


def _family(settings: Settings, run: str) -> str:
    return plugins.module_name("families", settings.runs[run].family)


def _codec_module(settings: Settings, run: str) -> str:
    return plugins.module_name("codecs", settings.codecs[settings.runs[run].codec].kind)
