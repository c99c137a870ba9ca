"""Every shipped system plans, in a fresh workspace, the jobs that its description calls for."""

import functools
import os
import re
import subprocess
import sys
import tarfile
import threading
from collections import Counter
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
SYSTEMS = [path for path in sorted(ROOT.glob("config/*.yaml")) if "system" in yaml.safe_load(path.read_text())]

PLANNED = {
    "config": {  # the toy: six corpora of one shard, five datasets, a codec fitted to two of them, a run upon a run
        "segment_recordings": 6,
        "transcribe_segments": 6,
        "measure_segments": 6,
        "select_segments": 8,
        "train_codec": 1,
        "encode_tokens": 2,
        "pack_protos": 2,
        "train_model": 2,
        "merge_model": 2,
        "synthesize_samples": 2,
        "evaluate_model": 2,
        "write_report": 2,
        "package_model": 1,
        "all": 1,
    },
    "finnish-openaudio": {  # nothing is here yet: corpus and base are fetched, eight shards all the way
        "fetch_corpus_finnish_speaker": 1,
        "fetch_model": 1,
        "segment_recordings": 8,
        "transcribe_segments": 8,
        "measure_segments": 8,
        "select_segments": 8,
        "encode_tokens": 8,
        "pack_protos": 8,
        "train_model": 1,
        "merge_model": 1,
        "synthesize_samples": 1,
        "evaluate_model": 1,
        "write_report": 1,
        "package_model": 1,
        "all": 1,
    },
}


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "toy").symlink_to(ROOT / "toy")  # its paths are relative to the workspace
    return tmp_path


def run(workspace, *options):
    """What Snakemake said in a workspace."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "-s", str(ROOT / "Snakefile")]
    command += ["--directory", str(workspace), *map(str, options)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def plan(workspace, *options):
    """Jobs by rule of a dry run in a workspace, and what it said."""
    said = run(workspace, "-n", *options)
    table = re.search(r"Job stats:\n.*?\n-.*?\n(.*?)\ntotal", said, re.DOTALL)
    lines = table[1].splitlines() if table else []
    return Counter({rule: int(count) for rule, count in (line.split() for line in lines)}), said


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.stem)
def test_a_shipped_system_plans_its_jobs_in_a_fresh_workspace(workspace, path):
    jobs, said = plan(workspace, "--configfile", path)
    assert path.stem in PLANNED, f"say here what config/{path.name} plans: {dict(jobs)}"
    assert dict(jobs) == PLANNED[path.stem]
    assert {p.name for p in workspace.iterdir()} <= {"toy", "data", "work", ".snakemake"}
    assert not (workspace / "data/raw").exists()
    assert f"system {yaml.safe_load(path.read_text())['system']};" in said


def test_a_configuration_of_ones_own_is_the_only_one(workspace):
    (workspace / "config").mkdir()
    (workspace / "config/config.yaml").write_text("system: theirs\ncorpora: {}\n")
    (workspace / "mine.yaml").write_text("corpora: {}\n")
    with pytest.raises(AssertionError, match="kaiku: Configuration: system is missing"):
        plan(workspace, "--configfile", workspace / "mine.yaml")
    assert "system theirs;" in plan(workspace)[1]


def test_a_base_may_stand_in_a_folder_with_a_blank(workspace):
    (workspace / "my base").mkdir()
    system = {
        "system": "small",
        "corpora": {"x": {"layout": "wav_lab", "licence": "own", "path": str(workspace)}},
        "datasets": {"x": {"corpora": ["x"]}},
        "bases": {"m": {"licence": "own", "path": "my base"}},
        "codecs": {"c": {"kind": "env", "dataset": "x"}},
        "runs": {"r": {"family": "fish", "base": "m", "dataset": "x", "codec": "c"}},
    }
    (workspace / "mine.yaml").write_text(yaml.safe_dump(system))
    said = plan(workspace, "--configfile", workspace / "mine.yaml", "--printshellcmds")[1]
    assert said.count("--base 'my base'") == 2


@pytest.fixture
def published(tmp_path_factory):
    """Address of a web server with an archive of a corpus and one of a base model."""
    folder = tmp_path_factory.mktemp("published")
    for name, members in {"corpus": ["SPK/a.wav", "SPK/b.wav"], "base": ["m/config.json"]}.items():
        with tarfile.open(folder / f"{name}.tar.gz", "w:gz") as tar:
            for member in members:
                tar.addfile(tarfile.TarInfo(member))
    handler = functools.partial(SimpleHTTPRequestHandler, directory=folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_what_was_fetched_is_not_fetched_again_unless_its_source_is_another(workspace, published):
    source = {"url": f"{published}/base.tar.gz"}
    system = {
        "system": "small",
        "corpora": {"x": {"layout": "wav_lab", "licence": "own", "source": {"url": f"{published}/corpus.tar.gz"}}},
        "datasets": {"x": {"corpora": ["x"]}},
        "bases": {"m": {"licence": "own", "source": source}},
    }
    mine = workspace / "mine.yaml"
    mine.write_text(yaml.safe_dump(system))
    fetched = ["data/manifests/x/000.audio.tsv", "models/base/m/fetched.json"]
    run(workspace, "--configfile", mine, "--", *fetched)
    assert (workspace / "models/base/m/config.json").exists()
    assert {p.name for p in (workspace / "data/raw/x/SPK").iterdir()} == {"a.wav", "b.wav"}

    occupied = [p for p in (workspace / "data/manifests/x").glob("*.audio.tsv") if p.read_bytes().count(b"\n") > 1]
    shards = len(occupied)
    per_shard = ("segment_recordings", "transcribe_segments", "measure_segments", "select_segments")
    expected = {**dict.fromkeys(per_shard, shards), "all": 1}
    targets = ["all", "models/base/m/fetched.json"]
    assert plan(workspace, "--configfile", mine, "--", *targets)[0] == expected

    source["sha256"] = "0" * 64
    mine.write_text(yaml.safe_dump(system))
    assert plan(workspace, "--configfile", mine, "--", *targets)[0] == expected | {"fetch_model": 1}


@pytest.mark.parametrize("profile", ["gpu", "profiles/slurm", "profiles/ci"])
def test_profiles_plan_the_toy(workspace, profile):
    """`snakemake --profile gpu` works literally: a link in the root leads to profiles/gpu."""
    counts, said = plan(workspace, "--profile", profile, "--configfile", ROOT / "config/config.yaml")
    assert f"Using profiles {profile}" in said and "profiles/default" in said
    assert counts == PLANNED["config"]


def test_a_workspace_may_import_the_workflow_as_a_module(workspace):
    """A Snakefile of three lines in a folder of one's own, with the configuration that stands there."""
    (workspace / "config.yaml").write_text((ROOT / "config/config.yaml").read_text())
    (workspace / "Snakefile").write_text(
        'configfile: "config.yaml"\n'
        f'module kaiku:\n    snakefile: "{ROOT / "Snakefile"}"\n    config: config\n'
        "use rule * from kaiku\n"
    )
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=workspace, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^total +43$", done.stdout + done.stderr, re.M)
