"""Snakemake's records: by hand, and once with Snakemake itself, to see the trap and that it is sprung."""

import json
import subprocess
import sys
from base64 import urlsafe_b64encode

import pytest

from kaiku.workspace.provenance import forget_inputs, records, repair_hidden_failures


def recorded_outputs(workspace):
    return [found.output for found in records(workspace)]


LONG = "data/" + "very-long-name/" * 30 + "000.npy"


def record(workspace, output, kind="metadata", content=None):
    """A record where Snakemake 9 puts it: base64 of the output, in folders `@...` where that is too long for a name."""
    name = urlsafe_b64encode(output.encode()).decode()
    pieces = [name[i : i + 254] for i in range(0, len(name), 254)]
    path = workspace.joinpath(".snakemake", kind, *["@" + piece for piece in pieces[:-1]], pieces[-1])
    if content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("output", ["data/a b/000.parquet", "models/aino/merged", "päivä.txt", LONG])
def test_a_record_without_its_file_becomes_an_incomplete_one(tmp_path, output):
    found = record(tmp_path, output, content={"params": ["new"]})
    assert (len(found.relative_to(tmp_path).parts) > 3) == (output == LONG)
    assert recorded_outputs(tmp_path) == [output]
    assert repair_hidden_failures(tmp_path) == [output]
    assert not found.exists()
    assert json.loads(record(tmp_path, output, "incomplete").read_text()) == {"external_jobid": None}
    target = tmp_path / output
    assert target.is_dir() if output == "models/aino/merged" else target.read_bytes() == b""
    assert repair_hidden_failures(tmp_path) == []


def test_records_with_their_files_stay_as_they_are(tmp_path):
    (tmp_path / "here.txt").write_text("made")
    (tmp_path / "folder").mkdir()
    for output in ("here.txt", "folder", str(tmp_path / "here.txt")):
        record(tmp_path, output, content={"params": []})
    record(tmp_path, "gone.txt", content={"params": []})
    assert repair_hidden_failures(tmp_path) == ["gone.txt"]
    assert sorted(recorded_outputs(tmp_path)) == sorted(["here.txt", "folder", str(tmp_path / "here.txt")])
    assert not record(tmp_path, "here.txt", "incomplete").exists()
    assert (tmp_path / "here.txt").read_text() == "made"


@pytest.mark.parametrize("name", ["README", "not base64!", ".nfs0000abcd", "dGV4dA==.tmp", "/w=="])
def test_what_is_no_record_makes_no_file(tmp_path, name):
    folder = tmp_path / ".snakemake" / "metadata"
    folder.mkdir(parents=True)
    (folder / name.strip("/")).write_text("{}")
    assert repair_hidden_failures(tmp_path) == []
    assert [p.name for p in tmp_path.iterdir()] == [".snakemake"]


def test_a_workspace_that_snakemake_never_saw(tmp_path):
    assert repair_hidden_failures(tmp_path) == [] and recorded_outputs(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["touch", "unlink"])
def test_a_repair_that_is_killed_is_done_again(tmp_path, monkeypatch, step):
    """Whatever it got to: the output is missing with its record, or there with a marker; never there alone."""
    record(tmp_path, "x.txt", content={"params": []})
    with monkeypatch.context() as patch:

        def die(*args, **kwargs):
            raise KeyboardInterrupt

        patch.setattr("pathlib.Path." + step, die)
        with pytest.raises(KeyboardInterrupt):
            repair_hidden_failures(tmp_path)
    assert record(tmp_path, "x.txt", "incomplete").exists()
    assert (tmp_path / "x.txt").exists() == (step == "unlink")
    assert repair_hidden_failures(tmp_path) == (["x.txt"] if step == "touch" else [])


def test_inputs_are_forgotten_of_the_outputs_named(tmp_path):
    content = {"input": ["a", "b"], "input_checksums": {"a": "1"}, "params": ["k"], "code": "c"}
    for output in ("codec/encoder", "codec/decoder", LONG):
        record(tmp_path, output, content=content)
    record(tmp_path, "cut off", content={}).write_text('{"input": ["a"')
    forget_inputs(["codec/encoder", LONG, "cut off", "never made"], tmp_path)
    without = {**content, "input": [], "input_checksums": {}}
    assert json.loads(record(tmp_path, "codec/encoder").read_text()) == without
    assert json.loads(record(tmp_path, LONG).read_text()) == without
    assert json.loads(record(tmp_path, "codec/decoder").read_text()) == content


SNAKEFILE = """
rule last:
    input: "middle.txt"
    output: "last.txt"
    shell: "cp {input} {output}"

rule middle:
    output: "middle.txt"
    params: key=config["key"]
    shell: "echo {params.key} > {output}; test {params.key} != broken"
"""


SNAKEMAKE = """
import json, os, sys
from snakemake.cli import main

for line in sys.stdin:
    sys.stdout.flush()
    child = os.fork()
    if not child:
        with open("said", "w") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        main(json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture
def snakemake(tmp_path):
    """snakemake(key, *options): its exit status and what it said; imported once, since that is most of its time."""
    command = [sys.executable, "-c", SNAKEMAKE]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, text=True)

    def call(key, *options):
        arguments = ["-c1", "--nolock", "--rerun-incomplete", *options, "--config", f"key={key}"]
        process.stdin.write(json.dumps(arguments) + "\n")
        process.stdin.flush()
        return int(process.stdout.readline()), (tmp_path / "said").read_text()

    yield call
    process.communicate()


def test_snakemake_forgets_a_failure_and_is_reminded(tmp_path, snakemake):
    """The trap: a parameter changes, the job fails, and from then on an intermediate is missing and nothing planned."""
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    status, said = snakemake("one")
    assert status == 0, said
    status, said = snakemake("broken")
    assert status == 1 and "Error in rule middle" in said
    assert not (tmp_path / "middle.txt").exists() and (tmp_path / "last.txt").read_text() == "one\n"

    status, said = snakemake("broken", "-n")
    assert status == 0 and "Nothing to be done" in said

    assert repair_hidden_failures(tmp_path) == ["middle.txt"]
    status, said = snakemake("broken", "-n")
    assert status == 0 and "Nothing to be done" not in said
    assert "rule middle" in said and "rule last" in said

    status, said = snakemake("two")
    assert status == 0 and (tmp_path / "last.txt").read_text() == "two\n"
    assert repair_hidden_failures(tmp_path) == []
