import pytest

from kaiku.workspace import before


def files(folder):
    return {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def workspace(tmp_path):
    names = [
        "data/segments/otso/000.parquet",
        "data/segments/otso/000.tar",
        "data/transcripts/given/otso/000.parquet",
        "data/measures/otso/000.parquet",
        "data/tokens/toy/otso/000.npy",
        "data/tokens/toy/otso/.snakemake_timestamp",
        "data/selection/otso/otso/000.parquet",
        "data/manifests/otso/000.audio.tsv",
    ]
    for name in [*names, "data/tokens/toy/otso/000.parquet"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "data/tokens/toy/otso/000.parquet").write_text("")  # a placeholder of a job that failed
    return tmp_path


def test_item_artefacts_are_linked_aside(workspace):
    assert len(before.link_artefacts(workspace)) == 5
    aside = files(workspace / "work" / "before")
    assert sorted(aside) == [
        "data/measures/otso/000.parquet",
        "data/segments/otso/000.parquet",
        "data/segments/otso/000.tar",
        "data/tokens/toy/otso/000.npy",
        "data/transcripts/given/otso/000.parquet",
    ]
    assert all(path.samefile(workspace / name) for name, path in aside.items())


def test_what_was_linked_survives_its_deletion_and_follows_its_replacement(workspace):
    before.link_artefacts(workspace)
    output = workspace / "data/segments/otso/000.tar"
    output.unlink()
    assert before.link_artefacts(workspace) == []
    aside = workspace / "work/before/data/segments/otso/000.tar"
    assert aside.read_text() == "data/segments/otso/000.tar"
    output.write_text("pulled anew")
    assert before.link_artefacts(workspace) == ["data/segments/otso/000.tar"]
    assert aside.samefile(output) and aside.read_text() == "pulled anew"


def test_a_placeholder_does_not_take_the_place_of_what_was_linked(workspace):
    before.link_artefacts(workspace)
    output = workspace / "data/tokens/toy/otso/000.npy"
    output.unlink()
    output.touch()
    assert before.link_artefacts(workspace) == []
    assert (workspace / "work/before/data/tokens/toy/otso/000.npy").read_text() == "data/tokens/toy/otso/000.npy"


def test_a_job_finds_it_by_its_output(workspace, monkeypatch):
    monkeypatch.chdir(workspace)
    before.link_artefacts()
    for name in ("data/segments/otso/000.parquet", "data/tokens/toy/otso/000.npy"):
        output = workspace / name
        assert (before.of(output.relative_to(workspace)) / output.name).samefile(output)


def test_an_empty_workspace_has_nothing_to_link(tmp_path):
    assert before.link_artefacts(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
