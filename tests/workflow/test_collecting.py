"""Through Snakemake itself: a corpus that is collected comes first, and a later addition costs its own shard alone."""

import io
import json
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

REPO = Path(__file__).parents[2]
FIRST = [f"{seed}.flac" for seed in range(7)]
RIGHTS = "made for this test"


def sound(seed):
    """Three seconds of a hum in syllables."""
    time = np.arange(3 * 16000) / 16000
    voice = sum(np.sin(2 * np.pi * 110 * k * time + seed) / k for k in range(1, 9))
    samples = (0.1 * voice * np.sin(2 * np.pi * 2 * time) ** 2).astype(np.float32)
    data = io.BytesIO()
    soundfile.write(data, samples, 16000, format="FLAC")
    return data.getvalue()


@pytest.fixture
def published(tmp_path_factory):
    """Address of a web server with eight recordings."""
    folder = tmp_path_factory.mktemp("published")
    for seed in range(8):
        (folder / f"{seed}.flac").write_bytes(sound(seed))
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def call(workspace, *command):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPO)}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=workspace, env=environment, capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


def snakemake(workspace, *options):
    return call(workspace, "snakemake", "--cores", "2", "-s", str(REPO / "Snakefile"), *options)


def planned(said):
    table = re.search(r"Job stats:\n.*?\n-.*?\n(.*?)\ntotal", said, re.DOTALL)
    return Counter({rule: int(n) for rule, n in (line.split() for line in table[1].splitlines())}) if table else {}


def listed(workspace, address, *names):
    entries = [{"url": f"{address}/{name}", "rights": RIGHTS} for name in names]
    (workspace / "sources.yaml").write_text(json.dumps(entries))


def test_a_corpus_is_collected_and_an_addition_costs_its_shard(tmp_path, published):
    collect = {"sources": "sources.yaml", "pause_s": [0, 0], "retries": 0}
    corpus = {"layout": "recordings", "licence": "own", "speaker": "x", "shards": 2, "collect": collect}
    system = {"system": "web", "corpora": {"x": corpus}, "datasets": {"x": {"corpora": ["x"], "split": {"val": 0}}}}
    (tmp_path / "config").mkdir()

    def configure():
        (tmp_path / "config/config.yaml").write_text(yaml.safe_dump(system))

    configure()
    listed(tmp_path, published, *FIRST, "gone.flac")
    code, said = snakemake(tmp_path, "-n")
    assert code == 0 and planned(said)["collect_recordings_x"] == 1

    code, said = snakemake(tmp_path)
    assert code == 1 and "rights_confirmed is not set" in (tmp_path / "logs/collect_recordings/x.log").read_text()
    assert not (tmp_path / "data/raw").exists()

    collect["rights_confirmed"] = True
    configure()
    code, said = snakemake(tmp_path)
    assert code == 0, said
    assert "gone.flac: failed" in said and "x: 7 collected, 0 here, 0 refused, 1 failed" in said
    shards = {path.stem for path in (tmp_path / "data/selection/x/x").glob("*.parquet")}
    assert len(list((tmp_path / "data/raw/x").iterdir())) == 7

    code, said = snakemake(tmp_path, "-n")
    assert "Nothing to be done" in said and "x: 1 of sources.yaml not here yet: `make collect CORPUS=x`" in said

    listed(tmp_path, published, *FIRST, "7.flac")
    code, said = call(tmp_path, "workflow_scripts.collect_recordings", "--corpus", "x")
    assert code == 0 and "computed 1, reused 7, failed 0" in said
    code, said = snakemake(tmp_path, "-n")
    assert planned(said)["segment_recordings"] == 1
    assert "not here yet" not in said
    code, said = snakemake(tmp_path)
    assert code == 0, said
    counts = [json.loads(p.read_text()) for p in (tmp_path / "logs/segment_recordings").glob("*.counts.json")]
    assert sum(count["failed"] for count in counts) == 0
    assert shards <= {path.stem for path in (tmp_path / "data/selection/x/x").glob("*.parquet")}
