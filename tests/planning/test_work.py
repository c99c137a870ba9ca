"""What planned jobs would really do, looked at in a small workspace."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import small_workspace
from small_workspace import CONFIG, PROGRAMS, SELECTION, configure, jobs, scan, speak

from kaiku.planning.finding import Place
from kaiku.planning.job import plan_of
from kaiku.planning.staleness import artefacts
from kaiku.planning.work import Survey, resumable_step
from kaiku.store.whole import Result
from workflow_scripts import describe_clips


@pytest.fixture
def survey(workspace, tmp_path):
    """survey(settings, *rules): the works of the jobs of some rules, by rule."""

    def look(settings, *rules):
        planned = plan_of([job for job in jobs(settings) if job.rule in rules])
        return {work.job.rule: work for work in Survey(settings, PROGRAMS, tmp_path / "scratch").of(planned)}

    return look


ALL = tuple(PROGRAMS)


def test_what_is_as_it_was_computes_nothing_and_lets_everything_behind_it_be(survey):
    works = survey(configure(), *ALL)
    assert {rule: (work.compute, work.there, work.about) for rule, work in works.items()} == {
        "segment_recordings": (0, 3, False),
        "transcribe_segments": (0, 3, False),
        "measure_segments": (0, 6, False),
        "select_segments": (0, 3, False),
    }
    assert works["select_segments"].stands == {SELECTION: Path(SELECTION)}


def test_a_recording_that_came_is_counted_where_it_is_and_estimated_behind(survey):
    settings = configure()
    speak("four", 0.1)
    speak("one", 0.6)
    scan(settings)
    works = survey(settings, *ALL)
    assert works["segment_recordings"].compute == 2 and works["segment_recordings"].fresh == {"four", "one"}
    behind = {rule: (w.compute, w.there, w.about) for rule, w in works.items() if rule != "segment_recordings"}
    assert behind == {
        "transcribe_segments": (2, 2, True),
        "measure_segments": (4, 4, True),
        "select_segments": (4, 0, True),
    }


def test_the_jobs_then_compute_what_was_said(survey):
    settings = configure()
    speak("four", 0.1, "neljä")
    scan(settings)
    said = {rule: work.compute for rule, work in survey(settings, *ALL).items()}
    small_workspace.run(settings)
    counts = {rule: json.loads(next(Path("logs", rule).glob("*.counts.json")).read_text()) for rule in ALL}
    computed = {rule: found["computed"] for rule, found in counts.items()}
    assert computed == said == dict(zip(ALL, (1, 1, 2, 4), strict=True))


def test_rows_that_are_only_called_otherwise_are_written_anew(survey):
    settings = configure(corpora={"voices": {**CONFIG["corpora"]["voices"], "speaker": "otso"}})
    scan(settings)
    works = survey(settings, "segment_recordings", "measure_segments")
    assert (works["segment_recordings"].compute, works["segment_recordings"].stands) == (0, None)
    assert works["measure_segments"].about, "its input will be another file, though no clip is cut"


def test_a_comparison_is_of_all_clips_of_its_shard(workspace, tmp_path):
    def looked_at(settings, *rules):
        (described,) = (a for a in artefacts(settings, Place("voices", "000", "")) if a.rule == "describe_clips")
        segments, comparisons = "data/segments/voices/000.parquet", "data/comparisons/voices/000.parquet"
        asked = [job for job in jobs(settings) if job.rule in rules]
        if "describe_clips" in rules:
            outputs = [str(described.rows_path)]
            asked += [
                small_workspace.job("describe_clips", dict(described.names), [segments], outputs, described.arguments)
            ]
        asked += [
            small_workspace.job("compare_clips", dict(described.names), [str(described.rows_path)], [comparisons], ())
        ]
        programs = {**PROGRAMS, "describe_clips": describe_clips}
        *_, work = Survey(settings, programs, tmp_path / "scratch").of(plan_of(asked))
        return work.job.rule, work.compute, work.unit, work.about

    settings = configure(checks={**CONFIG["checks"], "duplicate": {}, "speaker_outlier": {}})
    assert looked_at(settings) == ("compare_clips", 6, "clips x checks", False)
    assert looked_at(settings, "describe_clips") == ("compare_clips", 6, "clips x checks", False)
    speak("four", 0.1)
    scan(settings)
    asked = ("segment_recordings", "describe_clips")
    assert looked_at(settings, *asked) == ("compare_clips", 8, "clips x checks", True)


def test_an_edited_text_is_one_clip_of_another_key(survey):
    settings = configure()
    Path("raw/two.lab").write_text("toinen\n")
    scan(settings)
    work = survey(settings, "transcribe_segments")["transcribe_segments"]
    assert (work.compute, work.there, work.changed) == (1, 2, 1)


def test_what_failed_is_told(survey):
    settings = configure()
    Path("raw/broken.wav").write_bytes(b"no audio")
    scan(settings)
    lenient = configure(corpora={"voices": {**CONFIG["corpora"]["voices"], "max_failed": 1.0}})
    small_workspace.run(lenient)
    work = survey(lenient, "segment_recordings")["segment_recordings"]
    assert (work.compute, work.there, work.tally) == (1, 3, {"of them failed before": 1})


def test_a_threshold_is_decided_ahead(survey):
    def bounded(most):
        dataset = {**CONFIG["datasets"]["all"], "select": {"peak_db": {"max": most}}}
        return survey(configure(datasets={"all": dataset}), "select_segments")["select_segments"]

    idle, moved = bounded(1.0), bounded(-10.0)
    assert (idle.compute, idle.note) == (0, "decides as before")
    assert moved.compute == 3 and moved.tally == {"more kept": 0, "fewer kept": 1}
    assert moved.stands[SELECTION] != Path(SELECTION), "what it will write is there, for packs to be looked at"


def test_a_result_that_stands_under_its_key_is_an_input_that_is_there(workspace, tmp_path):
    """A pack behind a decision that changes, whose result stands in its carry folder: it returns at once."""
    settings = configure()
    pack = small_workspace.job(
        "pack_protos", {"dataset": "all", "codec": "env"}, [SELECTION], ["packed"], ["--selection", SELECTION]
    )

    class Pack:
        @staticmethod
        def parser():
            import argparse

            made = argparse.ArgumentParser()
            made.add_argument("--selection", type=Path)
            return made

        @staticmethod
        def result(settings, args):
            seen.append(args.selection)
            return Result(Path("work/carry/pack"), "k", {"train": Path("packed")})

    seen = []
    bounded = {"all": {**CONFIG["datasets"]["all"], "select": {"peak_db": {"max": -10}}}}
    settings = configure(datasets=bounded)
    select = next(job for job in jobs(settings) if job.rule == "select_segments")
    survey = Survey(settings, {**PROGRAMS, "pack_protos": Pack}, tmp_path / "scratch")
    before = survey.of(plan_of([select, pack]))[1]
    files = Path("work/carry/pack/k/files")
    files.mkdir(parents=True)
    (files / "train").write_text("x")
    (files.parent / "digest").write_text("any")
    after = survey.of(plan_of([select, pack]))[1]
    assert seen[0].is_relative_to(tmp_path / "scratch") and seen[0].name == "000.parquet"
    assert (before.compute, before.stands) == (1, None)
    assert (after.compute, after.note, after.stands["packed"]) == (0, "returns at once (same key)", files / "train")


@pytest.mark.parametrize(
    ("key", "begun_by", "resume", "step"),
    [
        ("k", "auto", "auto", 40),
        ("other", "auto", "auto", 0),
        ("other", "auto", "adopt", 40),
        ("k", "auto", "restart", 0),
    ],
)
def test_a_training_goes_on_from_its_state(tmp_path, key, begun_by, resume, step):
    assert resumable_step(tmp_path, "k", resume) == 0
    for name in ("step_000020", "step_000040"):
        (tmp_path / "current/resume" / name).mkdir(parents=True)
    (tmp_path / "current/key.json").write_text(json.dumps({"key": key, "begun_by": begun_by, "parts": {}}))
    assert resumable_step(tmp_path, "k", resume) == step


def test_rules_that_nobody_can_be_asked_about_run(workspace, tmp_path):
    made = small_workspace.job("package_model", {"run": "a"}, [], ["dist/a.tar.gz"], [])
    (work,) = Survey(configure(), {}, tmp_path).of(plan_of([replace(made)]))
    assert (work.compute, work.unit, work.stands) == (1, "", None)
