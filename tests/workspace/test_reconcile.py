"""A workspace of four artefacts in a row, made here or pulled: what is found fresh, stale or modified, and made known.

manifest -> segments -> tokens -> pack (whose records are written here as Snakemake writes them)
"""

import hashlib
import json
import os
import shutil
from itertools import count

import pytest

from kaiku.store import digest
from kaiku.workspace import attestation, provenance, reconcile
from kaiku.workspace.reconcile import Ledger

MANIFEST = "data/manifests/otso/000.audio.tsv"
SEGMENTS, TOKENS, PACK = "data/segments/otso/000.tar", "data/tokens/toy/otso/000.npy", "models/otso/checkpoints"
RULES = {SEGMENTS: ("segment", MANIFEST), TOKENS: ("encode", SEGMENTS), PACK: ("train", TOKENS)}
_clock = count(1_000_000_000)


class Workspace:
    """A folder, and what Snakemake and its jobs do in there. Times are made up; each is later than the last."""

    def __init__(self, root):
        self.root = root

    def write(self, path, text):
        place = self.root / path
        if path == PACK:
            place.mkdir(parents=True, exist_ok=True)
            (place / ".snakemake_timestamp").touch()
            (place / "step_1").write_text(text)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        self.set_time(path)

    def set_time(self, path):
        provenance.set_time(self.root / path, next(_clock) * 10**9)

    def make(self, *paths, key="k1", fails=False, content=None):
        """Jobs as Snakemake runs them: a job that fails leaves its record without its output."""
        for path in paths:
            rule, source = RULES[path]
            made_of = (
                "" if fails or content else (self.root / source / ("step_1" if source == PACK else "")).read_text()
            )
            if fails:
                self.delete(path)
            else:
                self.write(path, content or f"{rule}({made_of})")
            when = next(_clock) if fails else provenance.time_of(self.root / path) / 1e9
            record = self.record(path)
            record.parent.mkdir(parents=True, exist_ok=True)
            sums = {source: "sha256:..."}
            known = {"rule": rule, "input": [source], "params": [key], "starttime": when - 0.5, "endtime": when}
            record.write_text(json.dumps({**known, "record_format_version": 6, "input_checksums": sums}))
            provenance.unmark_incomplete(path, self.root)

    def delete(self, path):
        place = self.root / path
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)

    def record(self, path):
        return provenance._place("metadata", path, self.root)

    def params(self, path):
        return json.loads(self.record(path).read_text())["params"]

    def start(self, scan=lambda: None):
        """What a start of the workflow does; (restored, stale, modified). scan: what it finds out of the recordings."""
        provenance.repair_hidden_failures(self.root)
        ledger = Ledger(self.root)
        ledger.observe()
        scan()
        found = ledger.reconcile()
        return found.restored, found.stale, found.modified

    def planned(self):
        """Outputs that Snakemake would make whatever the times say."""
        return [path for path in RULES if provenance.is_incomplete(path, self.root)]

    def in_order(self):
        times = [provenance.time_of(self.root / path) for path in (MANIFEST, *RULES) if (self.root / path).exists()]
        return times == sorted(times)

    def clone(self, root, *pulled):
        """Git brings the manifest and the lock; DVC brings the artefacts named, in this order."""
        other = Workspace(root)
        for path in (*pulled, MANIFEST, "kaiku.lock"):
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if (self.root / path).is_dir():
                shutil.copytree(self.root / path, place, ignore=shutil.ignore_patterns(".*"))
            else:
                shutil.copyfile(self.root / path, place)
            other.set_time(path)
        return other


@pytest.fixture(autouse=True)
def made_up_times(monkeypatch):
    """Files were touched when their made-up times say."""
    monkeypatch.setattr(provenance, "touched_at", lambda path: provenance.time_of(path))


@pytest.fixture
def made(tmp_path):
    """A workspace in which everything was made, and a lock that attests it."""
    workspace = Workspace(tmp_path / "made")
    workspace.write(MANIFEST, "one")
    workspace.make(*RULES)
    assert reconcile.attest(workspace=workspace.root) == []
    return workspace


def test_what_was_made_here_is_fresh(made):
    assert made.start() == ([], [], []) and made.planned() == []


@pytest.mark.parametrize("pulled", [(SEGMENTS, TOKENS, PACK), (PACK, TOKENS, SEGMENTS), (TOKENS, PACK, SEGMENTS)])
def test_a_clone_is_fresh_in_whatever_order_its_files_came(made, tmp_path, pulled):
    clone = made.clone(tmp_path / "clone", *pulled)
    assert clone.start() == (sorted(pulled), [], [])
    assert clone.planned() == [] and clone.in_order()
    assert [clone.params(path) for path in RULES] == [["k1"]] * 3
    assert clone.start() == ([], [], [])


@pytest.mark.parametrize("pulled", [[TOKENS], [PACK], [TOKENS, PACK], [SEGMENTS, PACK]])
def test_what_is_not_here_counts_as_attested(made, tmp_path, pulled):
    clone = made.clone(tmp_path / "clone", *pulled)
    assert clone.start() == (sorted(pulled), [], []) and clone.planned() == [] and clone.in_order()


def test_an_older_file_than_a_manifest_is_no_reason_to_make_what_lies_between(made, tmp_path):
    clone = made.clone(tmp_path / "clone", PACK)
    clone.set_time(MANIFEST)
    clone.start()
    assert clone.in_order()


def test_a_changed_recording_makes_the_pulled_work_stale(made, tmp_path):
    clone = made.clone(tmp_path / "clone", SEGMENTS, TOKENS)
    clone.write(MANIFEST, "two")
    assert clone.start() == ([TOKENS], [SEGMENTS], []) and clone.planned() == [SEGMENTS]
    clone.write(MANIFEST, "one")
    assert clone.start() == ([SEGMENTS], [], []) and clone.planned() == []


def test_a_changed_recording_makes_stale_what_stands_behind_something_absent(made, tmp_path):
    clone = made.clone(tmp_path / "clone", TOKENS, PACK)
    clone.write(MANIFEST, "two")
    assert clone.start() == ([PACK], [TOKENS], []) and clone.planned() == [TOKENS]


@pytest.mark.parametrize("when", ["now", "before"])
def test_an_edited_artefact_is_not_hidden(made, when):
    made.start()
    place = made.root / SEGMENTS
    times = place.stat()
    place.write_text(place.read_text().upper())
    made.set_time(SEGMENTS)
    if when == "before":
        os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))
    restored, stale, modified = made.start()
    assert (restored, stale, modified) == ([], [TOKENS], [SEGMENTS])
    assert (TOKENS in made.planned()) == (when == "before")  # Snakemake sees the other one by itself
    made.make(TOKENS, PACK)
    assert made.start() == ([], [], [SEGMENTS]) and made.planned() == []


def test_an_edited_file_of_a_folder_is_not_hidden(made):
    made.start()
    (made.root / PACK / "step_1").write_text("forged")
    assert made.start() == ([], [], [PACK])


def test_a_pulled_file_that_nobody_attests_is_told(made, tmp_path):
    clone = made.clone(tmp_path / "clone", SEGMENTS, TOKENS)
    (clone.root / SEGMENTS).write_text("other")
    assert clone.start() == ([], [TOKENS], [SEGMENTS]) and clone.planned() == [TOKENS]


def test_touching_costs_nothing(made):
    made.start()
    for path in (MANIFEST, SEGMENTS):
        made.set_time(path)
    assert made.start() == ([], [], []) and made.planned() == [] and made.in_order()


def test_a_benchmark_is_no_older_than_the_output_whose_time_is_raised(made):
    """Snakemake compares the inputs' times with that of the benchmark as well."""
    made.start()
    benchmark = made.root / "logs/encode/000.tsv"
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s")
    made.set_time("logs/encode/000.tsv")
    record = made.record(TOKENS)
    record.write_text(json.dumps({**json.loads(record.read_text()), "log": ["logs/encode/000.log"]}))
    made.set_time(MANIFEST)
    made.start()
    assert provenance.time_of(benchmark) >= provenance.time_of(made.root / SEGMENTS) > 0
    assert provenance.time_of(benchmark) == provenance.time_of(made.root / TOKENS)


def test_a_job_that_failed_is_planned_again_though_its_old_output_is_pulled_back(made):
    made.start()
    before = (made.root / TOKENS).read_text()
    (made.root / "kaiku.lock").unlink()
    made.make(TOKENS, key="k2", fails=True)
    Ledger(made.root).observe()  # as the end of that run does
    made.write(TOKENS, before)
    assert made.start()[1] == [TOKENS] and made.planned() == [TOKENS]


def test_the_output_of_a_failed_job_that_is_pulled_back_has_its_old_parameters(made):
    made.start()
    before = (made.root / TOKENS).read_text()
    made.make(TOKENS, key="k2", fails=True)
    Ledger(made.root).observe()
    made.write(TOKENS, before)
    assert made.start() == ([TOKENS], [], []) and made.params(TOKENS) == ["k1"]


def test_a_newer_state_of_somebody_else_replaces_an_older_one_of_this_machine(made, tmp_path):
    mine = made.clone(tmp_path / "mine")
    mine.write(MANIFEST, "my own")
    mine.make(*RULES)
    mine.start()
    for path in (MANIFEST, SEGMENTS, TOKENS):
        shutil.copyfile(made.root / path, mine.root / path)
        mine.set_time(path)
    assert mine.start() == ([SEGMENTS, TOKENS], [PACK], [])
    assert mine.params(TOKENS) == ["k1"]


def test_outputs_of_other_inputs_under_a_record_of_this_machine_are_stale(made, tmp_path):
    """The record here says the inputs are unchanged, and they are; but the file is somebody else's, of other inputs."""
    mine = made.clone(tmp_path / "mine")
    mine.write(MANIFEST, "my own")
    mine.make(*RULES)
    mine.start()
    shutil.copyfile(made.root / SEGMENTS, mine.root / SEGMENTS)
    mine.set_time(SEGMENTS)
    assert mine.start()[1] == [SEGMENTS, TOKENS] and SEGMENTS in mine.planned()


def test_what_was_killed_before_it_could_attest_is_attested_at_the_next_start(made):
    made.start()
    made.write(MANIFEST, "two")
    made.make(*RULES)
    assert made.start() == ([], [], [])
    assert attestation.read(made.root / reconcile.LOCAL)[SEGMENTS][0].digest == digest.of_bytes(b"segment(two)")


def test_a_recording_edited_after_a_kill_is_seen_by_the_start_that_attests_what_was_killed(made):
    made.make(SEGMENTS, key="k2")
    kept_ns = provenance.time_of(made.root / SEGMENTS)
    assert SEGMENTS in made.start(scan=lambda: made.write(MANIFEST, "edited"))[1]
    assert provenance.time_of(made.root / SEGMENTS) == kept_ns < provenance.time_of(made.root / MANIFEST)


def test_the_end_of_a_run_attests_what_its_jobs_made(made):
    ledger = Ledger(made.root)
    ledger.observe()
    made.write(MANIFEST, "two")
    ledger.reconcile()
    made.make(*RULES)
    ledger.observe()
    assert made.start() == ([], [], []) and made.planned() == []


def test_a_fitted_codec_follows_nothing(made, tmp_path):
    clone = made.clone(tmp_path / "clone", SEGMENTS)
    clone.write(MANIFEST, "two")
    ledger = Ledger(clone.root)
    ledger.observe()
    before = provenance.time_of(clone.root / SEGMENTS)
    assert ledger.reconcile(settled=[SEGMENTS]).restored == [SEGMENTS] and clone.planned() == []
    assert provenance.time_of(clone.root / SEGMENTS) == before  # else what was encoded with it were older than it


def test_lost_working_state_costs_nothing(made):
    made.start()
    shutil.rmtree(made.root / "work")
    (made.root / "kaiku.lock").unlink()
    made.set_time(SEGMENTS)
    made.set_time(TOKENS)
    made.set_time(PACK)
    assert made.start() == ([], [], []) and made.planned() == []


def test_an_attestation_leaves_out_what_does_not_hold_and_keeps_what_is_elsewhere(made, tmp_path):
    clone = made.clone(tmp_path / "clone", SEGMENTS)
    clone.write(MANIFEST, "two")
    clone.start()
    assert reconcile.attest(workspace=clone.root) == [SEGMENTS]
    assert sorted(attestation.read(clone.root / "kaiku.lock")) == sorted([TOKENS, PACK])


def test_a_mark_of_a_job_on_a_cluster_stays(made):
    marker = provenance._place("incomplete", TOKENS, made.root)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text(json.dumps({"external_jobid": "17"}))
    made.start()
    assert made.planned() == [TOKENS]


def test_files_are_read_once(made, monkeypatch):
    made.start()
    monkeypatch.setattr(digest, "of_file", lambda path: pytest.fail(f"{path} was read"))
    monkeypatch.setattr(digest, "of_tree", lambda path: pytest.fail(f"{path} was read"))
    assert made.start() == ([], [], [])


def put_back(workspace, path, content, time_ns, monkeypatch):
    """Put an old content in the place of an artefact now, with its old time, as `dvc checkout` does with hard links."""
    workspace.write(path, content)
    touched = {workspace.root / path: provenance.time_of(workspace.root / path)}
    provenance.set_time(workspace.root / path, time_ns)
    own_times = provenance.touched_at
    monkeypatch.setattr(provenance, "touched_at", lambda place: touched.get(place) or own_times(place))


@pytest.mark.parametrize("seen_between", [False, True])
def test_an_input_that_is_put_back_after_a_kill_is_not_what_its_output_was_made_from(made, monkeypatch, seen_between):
    made.start()
    tokens, time_ns = (made.root / TOKENS).read_text(), provenance.time_of(made.root / TOKENS)
    made.make(TOKENS, content="those of another codec")
    if seen_between:
        made.start()
    made.make(PACK)
    put_back(made, TOKENS, tokens, time_ns, monkeypatch)
    assert made.start() == ([TOKENS], [PACK], []) and made.planned() == [PACK]
    assert reconcile.attest(workspace=made.root) == [PACK]


def test_an_input_that_was_only_touched_since_is_what_its_output_was_made_from(made, monkeypatch):
    made.start()
    made.make(PACK)
    put_back(made, TOKENS, (made.root / TOKENS).read_text(), provenance.time_of(made.root / TOKENS), monkeypatch)
    assert made.start() == ([], [], [])


def test_a_manifest_written_anew_with_the_same_content_changes_nothing(made):
    made.start()
    made.make(SEGMENTS)
    record = json.loads(made.record(SEGMENTS).read_text())
    sums = {MANIFEST: f"sha256:{hashlib.sha256(b'one').hexdigest()}"}
    made.record(SEGMENTS).write_text(json.dumps({**record, "input_checksums": sums}))
    made.set_time(MANIFEST)
    made.start()
    assert SEGMENTS not in reconcile.attest(workspace=made.root)


def test_a_doubt_outlives_a_start_that_ended_early(made):
    made.start()
    tokens = (made.root / TOKENS).read_text()
    made.make(TOKENS, key="k2", fails=True)
    made.write(TOKENS, tokens)
    (made.root / "kaiku.lock").unlink()
    Ledger(made.root).observe()
    _, stale, _ = made.start()
    assert TOKENS in stale and made.planned() == [TOKENS]


@pytest.mark.parametrize("is_edited", [False, True])
def test_an_edit_between_a_start_and_its_jobs_is_not_taken_for_our_own_link(made, is_edited):
    ledger = Ledger(made.root)
    ledger.observe()
    ledger.reconcile()
    if is_edited:
        (made.root / TOKENS).write_text("edited by hand")
    os.link(made.root / TOKENS, made.root / "aside")
    ledger.relinked([TOKENS])
    assert made.start() == (([], [PACK], [TOKENS]) if is_edited else ([], [], []))
