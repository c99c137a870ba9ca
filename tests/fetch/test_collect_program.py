"""The program that collects, as it is called, and as it is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from collecting import RIGHTS, ROOT, folders, sound

from kaiku.collect import table
from kaiku.store import scan
from workflow_scripts import collect_recordings

REPO = Path(__file__).parents[2]


def settings_file(server, **own):
    own = {"sources": "sources.yaml", "rights_confirmed": True, "pause_s": [0, 0], **own}
    corpus = {"layout": "recordings", "language": "fi", "speaker": "x", "licence": "own", "shards": 2, "collect": own}
    Path("work").mkdir(exist_ok=True)
    Path("work/settings.json").write_text(json.dumps({"system": "test", "corpora": {"x": corpus}}))


def listed(server, *paths):
    Path("sources.yaml").write_text(json.dumps([{"url": server.url + path, "rights": RIGHTS} for path in paths]))


def test_the_program_collects_scans_and_writes_the_table(server, audio, capsys):
    settings_file(server)
    listed(server, "/a.ogg", "/gone.ogg")
    assert collect_recordings.main(["--corpus", "x"]) == 0
    assert "computed 1, reused 0, failed 1" in capsys.readouterr().err
    folder = Path("data/manifests/x")
    assert len(list(scan.recordings(folder))) == 1 and scan.read_problems(folder) == []
    rows = table.read_table(folder / table.TABLE)
    assert [row.state for row in rows] == ["collected", "failed"]
    assert table.waiting(Path("sources.yaml"), folder / table.TABLE) == 1
    listed(server, "/a.ogg", "/b.flac")
    assert collect_recordings.main(["--corpus", "x"]) == 0
    assert len(list(scan.recordings(folder))) == 2
    assert table.waiting(Path("sources.yaml"), folder / table.TABLE) == 0


def test_the_program_names_the_corpora_that_are_collected(server, capsys):
    settings_file(server)
    assert collect_recordings.main(["--corpus", ""]) == 1
    assert "corpora.: nothing to collect is configured. Expected: one of x." in capsys.readouterr().err


def test_the_program_fails_where_nothing_came_and_says_why(server, capsys):
    settings_file(server, retries=0)
    listed(server, "/gone.ogg", "/lost.ogg")
    assert collect_recordings.main(["--corpus", "x"]) == 1
    said = capsys.readouterr().err
    assert "of 2 items none was collected" in said and "404" in said
    assert [row.state for row in table.read_table(Path("data/manifests/x") / table.TABLE)] == ["failed"] * 2


def test_a_killed_process_leaves_no_orphan_and_the_next_call_goes_on(server, audio):
    settings_file(server)
    server.files["/long.wav"], server.types["/long.wav"] = sound(60, 5, "WAV"), "audio/wav"
    listed(server, "/a.ogg", "/long.wav", "/c.wav")
    server.stall_for["/long.wav"] = [None, 500_000]  # the look-up goes through, the download stands still
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    command = [sys.executable, "-m", "workflow_scripts.collect_recordings", "--corpus", "x"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if list(ROOT.glob(".*/work/audio.wav.part")) or process.poll() is not None:
                break
            time.sleep(0.1)
        assert process.poll() is None, "it ended before it could be killed"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    hidden = [path.name for path in ROOT.glob(".*")]
    assert hidden and len([name for name in folders() if not name.startswith(".")]) == 1
    assert not (Path("data/manifests/x") / table.TABLE).exists()
    server.released.set()
    assert collect_recordings.main(["--corpus", "x"]) == 0
    assert [p.name for p in ROOT.glob(".*")] == [] and len(folders()) == 3
    assert len(list(scan.recordings(Path("data/manifests/x")))) == 3
    assert [row.state for row in table.read_table(Path("data/manifests/x") / table.TABLE)] == ["collected"] * 3
