import os

import pytest
from disk import Disk, Killed

from kaiku.errors import KaikuError
from kaiku.store import whole
from kaiku.store.items import Counts
from kaiku.store.owner import Superseded

BUILT, REUSED = Counts(computed=1), Counts(reused=1)


class Stage:
    """Makes a file and a folder from a key; counts how often."""

    def __init__(self, root):
        self.carry, self.built = root / "carry", 0
        self.outputs = {"page": root / "out" / "page.html", "model": root / "out" / "model"}

    def run(self, key):
        def build(paths):
            self.built += 1
            paths["page"].write_text(f"page of {key}")
            (paths["model"] / "deep").mkdir(parents=True)
            (paths["model"] / "deep" / "weights").write_text(f"weights of {key}")
            (paths["model"] / "config.json").write_text("{}")

        return whole.run(self.carry, key, self.outputs, build)

    def published(self):
        files = [*self.outputs["model"].rglob("*"), self.outputs["page"]]
        return {p.relative_to(self.carry.parent / "out").as_posix(): p.read_text() for p in files if p.is_file()}


def expected(key):
    return {"page.html": f"page of {key}", "model/deep/weights": f"weights of {key}", "model/config.json": "{}"}


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def test_the_same_key_gives_back_the_same_files_at_once(stage):
    assert stage.run("k1") == BUILT
    assert stage.published() == expected("k1")
    stage.outputs["page"].unlink()
    assert stage.run("k1") == REUSED
    assert stage.built == 1 and stage.published() == expected("k1")
    assert stage.outputs["page"].samefile(stage.carry / "k1" / "files" / "page")


def test_another_key_replaces_the_outputs_whole(stage):
    stage.run("k1")
    (stage.outputs["model"] / "stray").write_text("not ours")
    assert stage.run("k2") == BUILT
    assert stage.published() == expected("k2")
    assert stage.run("k1") == REUSED
    assert stage.published() == expected("k1")
    assert stage.built == 2


def test_the_results_used_last_are_kept(stage):
    for key in ("k1", "k2", "k3"):
        stage.run(key)
    for age, key in enumerate(("k3", "k2", "k1")):
        os.utime(stage.carry / key, (1e9 - age, 1e9 - age))
    assert stage.run("k1") == REUSED
    assert stage.run("k4") == BUILT
    assert sorted(p.name for p in stage.carry.iterdir() if p.is_dir()) == ["k1", "k3", "k4"]


@pytest.mark.parametrize("victim", ["page", "model/deep/weights"])
def test_a_damaged_result_is_made_again(stage, victim):
    stage.run("k1")
    path = stage.carry / "k1" / "files" / victim
    path.write_text(path.read_text().replace("of", "0f"))
    assert stage.run("k1") == BUILT
    assert stage.published() == expected("k1")


@pytest.mark.parametrize("victim", ["files/page", "files/model/config.json", "digest"])
def test_a_result_that_lost_a_file_is_made_again(stage, victim):
    stage.run("k1")
    (stage.carry / "k1" / victim).unlink()
    assert stage.run("k1") == BUILT
    assert stage.published() == expected("k1")


def test_a_stage_that_has_come_to_make_more_is_built_again(stage, tmp_path):
    stage.run("k1")
    stage.outputs["log"] = tmp_path / "out" / "log.txt"

    def build(paths):
        paths["page"].write_text("new")
        paths["log"].write_text("new")
        paths["model"].mkdir()

    assert whole.run(stage.carry, "k1", stage.outputs, build) == BUILT
    assert stage.outputs["log"].read_text() == "new"


def test_an_output_that_was_not_made_is_an_error(stage):
    with pytest.raises(KaikuError, match=r"model: the stage ended well and did not make it"):
        whole.run(stage.carry, "k1", stage.outputs, lambda paths: paths["page"].write_text("alone"))
    assert not stage.outputs["page"].exists() and not (stage.carry / "k1").exists()


def test_an_error_leaves_what_was_there(stage):
    stage.run("k1")

    def build(paths):
        paths["page"].write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        whole.run(stage.carry, "k2", stage.outputs, build)
    assert stage.published() == expected("k1")
    assert sorted(p.name for p in stage.carry.iterdir()) == ["k1", "lock", "owner"]


def test_a_kill_at_any_change_of_the_disk_leaves_no_half_result(tmp_path):
    disk = Disk()
    counted = Stage(tmp_path / "counted")
    counted.run("k1")
    with disk.mounted():
        counted.run("k2")
    assert disk.changes > 20
    for die_at in range(1, disk.changes + 1):
        stage = Stage(tmp_path / str(die_at))
        stage.run("k1")
        with Disk(die_at=die_at).mounted(), pytest.raises(Killed):
            stage.run("k2")
        stage.run("k2")
        assert stage.published() == expected("k2")
        assert stage.run("k2") == REUSED and stage.built <= 3
        assert stage.run("k1") == REUSED
        assert sorted(p.name for p in stage.carry.iterdir() if p.is_dir()) == ["k1", "k2"]


def test_an_orphan_does_not_publish(stage):
    stage.run("k1")

    def build(paths):
        paths["page"].write_text("orphan")
        paths["model"].mkdir()
        (stage.carry / "owner").write_text("token of a successor")

    with pytest.raises(Superseded):
        whole.run(stage.carry, "k2", stage.outputs, build)
    assert stage.published() == expected("k1")
