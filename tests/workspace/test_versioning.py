"""Snapshots and their merges, with real git and DVC, and without Snakemake."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo
from hypothesis import given
from hypothesis import strategies as st

from kaiku import settings as configuration
from kaiku.errors import KaikuError
from kaiku.store import digest
from kaiku.workspace import attestation, dvc_files, merging, start, versioning
from kaiku.workspace.attestation import Attestation
from kaiku.workspace.dvc_files import Content, Out

REPO = Path(__file__).parents[2]
MANIFEST = "data/manifests/aino/000.audio.tsv"
TOKENS, ROWS = "data/tokens/env/aino/000.npy", "data/tokens/env/aino/000.parquet"
MODEL = "models/voice/merged"
HEAD = "recording\tpath"


def git(root: Path, *arguments: str, check: bool = True) -> str:
    command = ["git", "-c", "user.name=kai", "-c", "user.email=kai@example.org", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert not check or not done.returncode, done.stderr
    return done.stdout + done.stderr


def write(root: Path, path: str, text: str) -> str:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    return digest.of_bytes(text.encode())


def attest(root: Path, *made: tuple[str, str, list[str]]) -> None:
    """Let kaiku.lock attest artefacts (path, rule, inputs) as they stand there."""
    entries = [
        Attestation(path, _digest(root / path), rule, (), tuple((name, _digest(root / name)) for name in inputs))
        for path, rule, inputs in made
    ]
    attestation.write(root / attestation.LOCK, entries)


def _digest(path: Path) -> str:
    return digest.of_tree(path) if path.is_dir() else digest.of_file(path)


@pytest.fixture
def workspace(tmp_path) -> Path:
    """A workspace in git and DVC with one shard of tokens and a merged model."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    Repo.init(str(tmp_path))
    write(tmp_path, MANIFEST, f"{HEAD}\na\ta.wav\nm\tm.wav\n")
    write(tmp_path, TOKENS, "codes")
    write(tmp_path, ROWS, "rows")
    write(tmp_path, f"{MODEL}/model.safetensors", "weights")
    write(tmp_path, f"{MODEL}/.snakemake_timestamp", "")
    everything(tmp_path)
    return tmp_path


def everything(root: Path) -> None:
    tokens = [(path, "encode_tokens", [MANIFEST]) for path in (TOKENS, ROWS)]
    attest(root, *tokens, (MODEL, "merge_model", [TOKENS]))


def test_outs_are_folders_of_shards_and_single_artefacts():
    assert dvc_files.out_of("data/segments/aino/000.tar", is_folder=False) == "data/segments/aino"
    assert dvc_files.out_of("data/tokens/env/aino/000.npy", is_folder=False) == "data/tokens/env/aino"
    assert dvc_files.out_of("data/protos/d/env/train/aino-000.protos", is_folder=False) == "data/protos/d/env"
    assert dvc_files.out_of("models/codecs/env/encoder.safetensors", is_folder=False) == "models/codecs/env"
    assert dvc_files.out_of("results/voice/metrics.json", is_folder=False) == "results/voice/metrics.json"
    assert dvc_files.out_of("models/voice/merged", is_folder=True) == "models/voice/merged"


def test_the_repository_has_a_stage_for_every_rule_that_makes_something_to_carry():
    text = "".join(path.read_text() for path in (REPO / "rules").glob("*.smk"))
    rules = {rule for rule in re.findall(r"^rule (\w+):", text, re.M) if not rule.startswith(versioning.NOT_CARRIED)}
    assert set(dvc_files.parse_yaml((REPO / "dvc.yaml").read_text())) == rules
    assert (REPO / "dvc.yaml").read_text() == dvc_files.yaml_text({}, rules)
    for name, lines in versioning.GIT_LINES.items():
        assert set(lines) <= set((REPO / name).read_text().splitlines()), name


def test_the_manifests_of_the_toy_in_git_are_current(tmp_path, monkeypatch):
    """So that a clone stays clean whatever is run in it."""
    (tmp_path / "toy").symlink_to(REPO / "toy")
    monkeypatch.chdir(tmp_path)
    settings = configuration.load(yaml.safe_load((REPO / "config/config.yaml").read_text()))
    for corpus in settings.corpora:
        start.scan_corpus(settings, corpus)
    found, kept = (
        {path.relative_to(root): path.read_text() for path in (root / start.MANIFESTS).glob("*/*")}
        for root in (tmp_path, REPO)
    )
    assert len(found) == 4 * len(settings.corpora)
    assert found == {path: text for path, text in kept.items() if path.parent.name in settings.corpora}


def test_both_files_read_back_what_was_written(tmp_path):
    outs = {
        "data/tokens/env/aino": Out(
            "encode_tokens", {"000.npy": Content("a" * 32, 3), "001.npy": Content("b" * 32, 4)}
        ),
        "results/voice/report.html": Out("write_report", {"": Content("c" * 32, 5)}),
    }
    dvc_files.write(tmp_path, outs, ["train_model"])
    assert dvc_files.read(tmp_path) == (outs, ["encode_tokens", "train_model", "write_report"])


def test_a_stage_that_somebody_else_wrote_is_not_lost(tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages:\n  mine:\n    cmd: echo mine\n")
    with pytest.raises(KaikuError, match=r"mine was not written by Kaiku.*dvc.yaml of another folder"):
        dvc_files.read(tmp_path)


@pytest.mark.parametrize("link", ["copy", "hardlink"])
def test_a_snapshot_touches_no_artefact(workspace, link):
    (workspace / ".dvc/config").write_text(f"[cache]\n    type = {link}\n")
    before = (workspace / TOKENS).stat()
    made = versioning.snapshot(workspace=workspace)
    after = (workspace / TOKENS).stat()
    assert (made.recorded, made.new_files, made.refused) == (3, 3, [])
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert after.st_nlink == (2 if link == "hardlink" else 1)
    outs, stages = dvc_files.read(workspace)
    assert {path: sorted(out.files) for path, out in outs.items()} == {
        "data/tokens/env/aino": ["000.npy", "000.parquet"],
        MODEL: ["model.safetensors"],
    }
    assert stages == ["encode_tokens", "merge_model"]
    assert versioning.snapshot(workspace=workspace).new_files == 0
    with Repo(str(workspace)) as repo:
        assert repo.data_status()["uncommitted"] == {}


def test_what_does_not_hold_is_left_out_and_keeps_its_entry(workspace):
    versioning.snapshot(workspace=workspace)
    known, _ = dvc_files.read(workspace)
    attested = attestation.read(workspace / attestation.LOCK)
    (workspace / TOKENS).write_text("edited")
    made = versioning.snapshot(workspace=workspace)
    assert made.refused == [TOKENS, MODEL] and made.recorded == 1
    assert dvc_files.read(workspace)[0] == known
    assert attestation.read(workspace / attestation.LOCK) == attested


def test_what_is_not_on_this_machine_keeps_its_entry(workspace):
    versioning.snapshot(workspace=workspace)
    known, _ = dvc_files.read(workspace)
    (workspace / TOKENS).unlink()
    assert versioning.snapshot(workspace=workspace).recorded == 2
    assert dvc_files.read(workspace)[0] == known


def test_a_snapshot_that_cannot_be_whole_says_why(workspace, tmp_path_factory):
    (workspace / ".gitignore").write_text("/data/\n")
    with pytest.raises(KaikuError, match="git ignores data/manifests"):
        versioning.snapshot(workspace=workspace)
    with pytest.raises(KaikuError, match=r"not known to DVC.*dvc init"):
        versioning.snapshot(workspace=tmp_path_factory.mktemp("bare"))


def test_a_running_workflow_is_not_snapshot(workspace):
    path = workspace / "work/run.lock"
    path.parent.mkdir()
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with pytest.raises(KaikuError, match="a run is working"):
            versioning.snapshot(workspace=workspace)
        holder.stdin.close()
    assert versioning.snapshot(workspace=workspace).recorded == 3


HOLD = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
SIDE = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2))


@given(SIDE, SIDE, SIDE)
def test_a_three_way_merge_keeps_every_change(base, ours, theirs):
    merged, conflicts = merging.three_way(base, ours, theirs)
    for key in "abcd":
        was, own, other = base.get(key), ours.get(key), theirs.get(key)
        if key in conflicts:
            assert own != other and own != was and other != was and merged[key] in (own, other)
        else:
            assert merged.get(key) == (other if own == was else own)
    swapped, same = merging.three_way(base, theirs, ours)
    assert same == conflicts and {k: v for k, v in swapped.items() if k not in same} == {
        k: v for k, v in merged.items() if k not in conflicts
    }


@pytest.mark.parametrize("installed", [True, False], ids=["with the driver", "without it"])
def test_neighbours_merge(workspace, installed):
    """Both add a recording between the same two, and both encode the shard, which only ours then holds."""
    if installed:
        versioning.set_merge_driver(sys.executable, workspace)
    _commit(workspace, "base")
    for branch, recording, again in (("theirs", "c", "shard of c"), ("main", "b", "shard of b")):
        git(workspace, "checkout", "--quiet", *([] if branch == "main" else ["-b"]), branch)
        manifest = workspace / MANIFEST
        manifest.write_text(manifest.read_text().replace("m\t", f"{recording}\t{recording}.wav\nm\t"))
        (workspace / TOKENS).write_text(again)
        everything(workspace)
        _commit(workspace, branch)
    said = git(workspace, "merge", "theirs", "--no-edit", check=installed)
    if not installed:
        assert "CONFLICT" in said
        told = merging.resolve_unmerged(workspace)
        assert set(told) == {MANIFEST, "dvc.lock"} and told[MANIFEST] == []
        said = f"both changed {told['dvc.lock']}"
    assert "both changed" in said and "data/tokens/env/aino, shard 000" in said
    assert (workspace / MANIFEST).read_text() == f"{HEAD}\na\ta.wav\nb\tb.wav\nc\tc.wav\nm\tm.wav\n"
    outs, _ = dvc_files.read(workspace)
    assert outs["data/tokens/env/aino"].files["000.npy"].md5 == _md5(b"shard of b")
    assert merging.choose(workspace) == []  # nobody's fits: the shard now has both recordings


def test_theirs_is_taken_where_only_theirs_fits(workspace):
    """They added a recording and made the model anew; we made it anew from what it was before."""
    versioning.set_merge_driver(sys.executable, workspace)
    _commit(workspace, "base")
    git(workspace, "checkout", "--quiet", "-b", "theirs")
    manifest = workspace / MANIFEST
    manifest.write_text(manifest.read_text() + "z\tz.wav\n")
    (workspace / TOKENS).write_text("more codes")
    (workspace / MODEL / "model.safetensors").write_text("their weights")
    everything(workspace)
    _commit(workspace, "theirs")
    git(workspace, "checkout", "--quiet", "main")
    (workspace / TOKENS).write_text("codes")
    (workspace / MODEL / "model.safetensors").write_text("our weights")
    everything(workspace)
    _commit(workspace, "ours")
    assert f"both changed {MODEL}: ours is kept" in git(workspace, "merge", "theirs", "--no-edit")
    assert dvc_files.read(workspace)[0][MODEL].files["model.safetensors"].md5 == _md5(b"our weights")
    assert merging.choose(workspace) == [MODEL]
    assert dvc_files.read(workspace)[0][MODEL].files["model.safetensors"].md5 == _md5(b"their weights")


def test_ours_stays_where_both_fit(workspace):
    """Both made the model anew from the same, and no two trainings are alike."""
    _commit(workspace, "base")
    for branch in ("theirs", "main"):
        git(workspace, "checkout", "--quiet", *([] if branch == "main" else ["-b"]), branch)
        (workspace / MODEL / "model.safetensors").write_text(branch)
        everything(workspace)
        _commit(workspace, branch)
    git(workspace, "merge", "theirs", "--no-edit", check=False)
    assert merging.resolve_unmerged(workspace) == {"dvc.lock": [MODEL]}
    assert merging.choose(workspace) == []
    assert dvc_files.read(workspace)[0][MODEL].files["model.safetensors"].md5 == _md5(b"main")


def test_two_new_corpora_merge_in_both_files():
    """Neighbours in dvc.yaml, whose lines git alone could not tell apart."""
    base, berta, carla = ({f"data/tokens/env/{name}": TOKENS_OUT} for name in ("aino", "berta", "carla"))
    for name, text in (("dvc.yaml", dvc_files.yaml_text), ("dvc.lock", dvc_files.lock_text)):
        merged = merging.merge(name, text(base), text(base | berta), text(base | carla))
        assert merged == merging.Merged(text(base | berta | carla), [])


TOKENS_OUT = Out("encode_tokens", {"000.npy": Content("a" * 32, 1)})


def _commit(root: Path, message: str) -> None:
    versioning.snapshot(workspace=root)
    git(root, "add", "--all", ".")
    git(root, "commit", "--quiet", "--message", message)


def _md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()
