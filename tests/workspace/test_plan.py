"""What a dry run says, read: as Snakemake 9.27 wrote it, and once asked of Snakemake itself."""

import pytest

from kaiku.errors import KaikuError
from kaiku.planning.job import Past
from kaiku.workspace import plan, provenance

SAID = """\
Building DAG of jobs...
Job stats:
job                    count
-------------------  -------
segment_recordings         1
total                      3

[Sat Nov 21 09:57:06 2026]
rule segment_recordings:
    input: data/manifests/otso/003.audio.tsv
    output: data/segments/otso/003.parquet, data/segments/otso/003.tar
    log: logs/segment_recordings/otso.003.log
    jobid: 18
    benchmark: logs/segment_recordings/otso.003.tsv
    reason: Missing output files: data/segments/otso/003.tar; Updated input files: data/manifests/otso/003.audio.tsv, b
    wildcards: corpus=otso, shard=003
    resources: tmpdir=/tmp, mem_mb=1000, mem=1 GB, mem_mib=954
Shell command: KAIKU_SCREEN=3 exec /bin/python -m workflow_scripts.segment_recordings --log l --rows 'a b' 3>&2 > l 2>&1

[Sat Nov 21 09:57:06 2026]
localrule pack_protos:
    input: a, b
    output: packed
    log: logs/pack_protos/x.log
    jobid: 42
    reason: Input files updated by another job: a; Set of input files has changed since last execution; Params have \
changed since last execution: Union: before: '{"x":"Missing output files: no"}' now: 'Updated input files: c; D'
    wildcards: dataset=otso, codec=toy
Shell command: python -m workflow_scripts.pack_protos --train packed

[Sat Nov 21 09:57:06 2026]
rule merge_model:
    output: models/x/merged
    log: logs/merge_model/x.log
    jobid: 43
    reason: Forced execution
    wildcards: run=x
Shell command: python -m workflow_scripts.merge_model --run x

rule all:
    input: packed
    jobid: 0
    reason: Input files updated by another job: packed
Shell command: None
Job stats:
"""


def test_jobs_as_they_are_said():
    segment, pack, merge = plan.read_jobs(SAID)
    assert (segment.rule, segment.name, dict(segment.names)) == (
        "segment_recordings",
        "otso.003",
        {"corpus": "otso", "shard": "003"},
    )
    assert segment.inputs == ("data/manifests/otso/003.audio.tsv",)
    assert segment.outputs == ("data/segments/otso/003.parquet", "data/segments/otso/003.tar")
    assert segment.arguments == ("--log", "l", "--rows", "a b")
    assert segment.missing == ("data/segments/otso/003.tar",)
    assert segment.updated == ("data/manifests/otso/003.audio.tsv", "b")
    assert pack.arguments == ("--train", "packed") and pack.inputs_changed and not pack.forced
    assert (pack.missing, pack.updated, pack.incomplete) == ((), (), ()), "parameters are not reasons"
    assert merge.forced and merge.said == "Forced execution" and merge.past is None


def test_what_is_on_record_of_a_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "packed").write_text("x")
    provenance.restore("packed", "pack_protos", [repr('{"code":{}}'), "unquoted"], ["a", "b"])
    assert plan.recorded("packed") == Past(('{"code":{}}', "unquoted"), ("a", "b"))
    assert plan.recorded("never made") is None
    jobs = {job.rule: job for job in plan.with_records(plan.read_jobs(SAID))}
    assert jobs["pack_protos"].past == plan.recorded("packed") and jobs["merge_model"].past is None


SNAKEFILE = """
rule second:
    input: "one.txt"
    output: "two.txt"
    log: "logs/second/x.log"
    shell: "python -m workflow_scripts.second --rows {output} > {log} 2>&1"

rule first:
    output: "one.txt"
    log: "logs/first/x.log"
    shell: "python -m workflow_scripts.first --rows {output} 3>&2 > {log} 2>&1"
"""


def test_snakemake_is_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    snakefile = tmp_path / "Snakefile"
    snakefile.write_text(SNAKEFILE)
    found = plan.dry_run(["two.txt"], snakefile)
    assert [(job.rule, job.missing, job.arguments[:2]) for job in found.jobs] == [
        ("first", ("one.txt",), ("--rows", "one.txt")),
        ("second", ("two.txt",), ("--rows", "two.txt")),
    ]
    assert found.needs(found.jobs[1]) == [found.jobs[0]]
    with pytest.raises(KaikuError, match="Snakemake cannot plan"):
        plan.dry_run(["three.txt"], snakefile)
