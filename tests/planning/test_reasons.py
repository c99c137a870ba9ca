"""Why jobs are planned, each reason in words."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_workspace import CONFIG, PROGRAMS, configure, job, jobs, scan, speak

from kaiku.planning.job import Past, plan_of
from kaiku.planning.keytext import PresentKeys
from kaiku.planning.reasons import reasons
from kaiku.planning.work import Survey, Work


@pytest.fixture
def why(workspace, tmp_path):
    """why(settings, changes): the reasons for the small workspace's jobs, changed by rule; the rest is not planned."""

    def ask(settings, **changes):
        earlier = PresentKeys(configure())
        configure_again = settings
        planned = []
        for made in jobs(settings):
            if made.rule in changes:
                past = Past((earlier.of(made.rule, made.names),), made.inputs)
                planned.append(replace(made, past=past, **changes[made.rule]))
        Path("work/settings.json").write_text(json.dumps(configure_again.model_dump(mode="json")))
        return reasons(settings, Survey(settings, PROGRAMS, tmp_path / "scratch").of(plan_of(planned)))

    return ask


MANIFEST, TEXTS = "data/manifests/voices/000.audio.tsv", "data/manifests/voices/000.text.tsv"


def test_recordings(why):
    settings = configure()
    speak("four", 0.1)
    speak("one", 0.6)
    Path("raw/two.wav").unlink()
    Path("raw/two.lab").unlink()
    scan(settings)
    said = why(settings, segment_recordings={"updated": (MANIFEST,)})
    assert said == ["voices: 1 recording added, 1 edited, 1 removed"]


def test_recordings_and_a_setting_at_once(why):
    """What was edited is told by the key that the clips were cut under, whatever the settings are now."""
    voices = {**CONFIG["corpora"]["voices"], "segment": {"margin_ms": 100}}
    settings = configure(corpora={"voices": voices})
    speak("four", 0.1)
    scan(settings)
    said = why(settings, segment_recordings={"updated": (MANIFEST,)})
    assert said == ["voices: 1 recording added", "corpus voices: segment.margin_ms 150 -> 100"]


def test_a_manifest_without_another_recording(why):
    settings = configure(corpora={"voices": {**CONFIG["corpora"]["voices"], "speaker": "otso"}})
    scan(settings)
    said = why(settings, segment_recordings={"updated": (MANIFEST,)})
    assert said == ["voices: speakers, languages or paths of recordings changed"]


def test_texts(why):
    settings = configure()
    Path("raw/one.lab").write_text("yksi\n")
    Path("raw/two.lab").write_text("kaksi\n")
    scan(settings)
    assert why(settings, transcribe_segments={"updated": (TEXTS,)}) == ["voices: 2 texts changed"]


def test_a_threshold_and_a_check(why):
    settings = configure(
        checks={"duration": {}, "level": {}, "clipping": {}},
        datasets={"all": {**CONFIG["datasets"]["all"], "select": {"peak_db": {"max": -6}}}},
    )
    said = why(settings, measure_segments={}, select_segments={})
    assert said == ["check clipping: added", "dataset all: select.peak_db.max 0 -> -6"]


def test_weights_bases_and_other_files(workspace):
    settings = configure(
        bases={"mimi": {"path": "models/mimi", "licence": "x"}, "lm": {"path": "models/lm", "licence": "x"}},
        codecs={"toy": {"kind": "env", "dataset": "all"}, "given": {"kind": "mimi", "base": "mimi"}},
    )
    changed = (
        "models/codecs/toy/encoder.safetensors",
        "models/mimi/a",
        "models/mimi/b",
        "models/lm/c",
        "data/x/1.parquet",
        "data/x/2.parquet",
    )
    planned = replace(job("fetch_model", {"run": "a"}, [], ["dist/a"], []), updated=changed)
    assert reasons(settings, [Work(planned, 1)]) == [
        "codec toy: weights changed",
        "codec given: weights changed",
        "base lm: files changed",
        "data/x: 2 files newer than what was made of it",
    ]


def test_what_is_missing_failed_or_forced(workspace):
    settings = configure()
    missing = replace(job("fetch_corpus", {"shard": "0"}, [], ["a"], []), missing=("a",))
    others = [replace(missing, log=f"logs/fetch_corpus/{n}.log", outputs=(f"{n}",)) for n in "bc"]
    failed = replace(job("fetch_model", {"run": "x"}, [], ["m"], []), incomplete=("m",))
    stopped = replace(job("fetch_model", {"run": "y"}, [], ["n"], []), incomplete=("n",))
    whole = replace(job("fetch_other", {"run": "z"}, [], ["o"], []), incomplete=("o",))
    forced = replace(job("fetch_again", {"run": "z"}, [], ["p"], []), forced=True)
    for made, text in (
        (failed, "error: no clips left.\n"),
        (stopped, "step 3\n"),
        (whole, "10:00:00 computed 1, reused 0, failed 0\n"),
    ):
        Path(made.log).parent.mkdir(parents=True, exist_ok=True)
        Path(made.log).write_text(text)
    planned = [missing, *others, failed, stopped, whole, forced]
    assert reasons(settings, [Work(made, 1) for made in planned]) == [
        "fetch_model x: ran and failed last time (no clips left.)",
        "fetch_model y: ran and failed last time, or was stopped",
        "fetch_other (1 job): not whole, or not as they were made",
        "fetch_corpus (3 jobs): asked for, not there yet",
        "fetch_again (1 job): asked for anew, by force",
    ]


def test_another_set_of_inputs(workspace):
    made = job("fetch_model", {"run": "x"}, ["a", "b", "c"], ["m"], [])
    planned = replace(made, inputs_changed=True, past=Past((), ("a", "z")))
    said = reasons(configure(), [Work(planned, 1)])
    assert said == ["fetch_model x: other inputs than before (2 more, 1 fewer)"]


def test_a_review_is_told_as_such(workspace):
    inputs, reviewed = ["data/segments/voices/000.parquet"], ["data/review/voices/000.tsv", MANIFEST]
    names = {"dataset": "all", "corpus": "voices", "shard": "000"}
    made = replace(job("select_segments", names, [*inputs, *reviewed], ["m"], []), inputs_changed=True)
    first = replace(made, past=Past((), tuple(inputs)))
    again = replace(made, inputs_changed=False, updated=(reviewed[0],))
    for planned in (first, again):
        assert reasons(configure(), [Work(planned, 1)]) == ["voices: decisions of the review changed"]
    more = replace(made, past=Past((), ()))
    assert reasons(configure(), [Work(more, 1)]) == [
        "voices: decisions of the review changed",
        "select_segments all.voices.000: other inputs than before (1 more)",
    ]


def test_what_nothing_explains_is_told_in_the_workflows_words(workspace):
    planned = replace(
        job("fetch_model", {"base": "x"}, [], ["m"], []), said="Software environment definition has changed"
    )
    said = reasons(configure(), [Work(planned, 1)])
    assert said == ["fetch_model: Software environment definition has changed (1 job)"]
