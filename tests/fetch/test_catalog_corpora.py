"""What the catalogue says of a corpus' archives and its layout goes together, on archives laid out as it says."""

import io
import json
import zipfile
from pathlib import Path

from loopback import tar_of

from kaiku.fetch import catalog
from kaiku.layouts import fleurs, openslr66
from kaiku.store import manifests, scan
from workflow_scripts import fetch_corpus

COMMIT = "a" * 40


def zip_of(folder):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as zipped:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            zipped.writestr(path.relative_to(folder).as_posix(), path.read_bytes())
    return data.getvalue()


def fetched(own):
    """Fetch a corpus; its recordings by id."""
    Path("work").mkdir(exist_ok=True)
    Path("work/settings.json").write_text(json.dumps({"system": "test", "corpora": {"x": {**own, "shards": 1}}}))
    assert fetch_corpus.main(["--corpus", "x"]) == 0
    folder = Path("data/manifests/x")
    return {row.recording: row for row in manifests.read_audio(manifests.audio_path(folder, "000"))}, folder


def local(source, server):
    """A catalogue's source with its addresses on this server."""
    return json.loads(json.dumps(source).replace("https://www.openslr.org", server.url))


def test_the_women_and_men_of_slr66_keep_a_table_each(server, tmp_path):
    openslr66.tiny(tmp_path / "tiny")
    for part in ("te_in_female", "te_in_male"):
        server.files[f"/resources/66/{part}.zip"] = zip_of(tmp_path / "tiny" / part)
    named = catalog.find("corpora", "openslr66", "here").settings()
    named["source"] = {k: v for k, v in local(named["source"], server).items() if k != "mirrors"}
    rows, folder = fetched({"catalog": "openslr66", "accept_licence": "CC-BY-SA-4.0", "source": named["source"]})
    assert {row.speaker for row in rows.values()} == {"00432", "01210"}
    assert sorted(rows) == [
        "te_in_female--tef_00432_01",
        "te_in_female--tef_00432_02",
        "te_in_male--tem_01210_07",
    ]
    assert {row.language for row in rows.values()} == {"te"}
    record = json.loads((folder / "fetched.json").read_text())
    assert record["licence"] == "CC-BY-SA-4.0" and len(record["also"]) == 1


def test_a_language_of_fleurs_comes_with_its_archives_unpacked(server, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    fleurs.tiny(tmp_path / "tiny")
    repository = {}
    for table in sorted((tmp_path / "tiny").glob("*.tsv")):
        clips = sorted((tmp_path / "tiny").rglob(f"{table.stem}/*.wav"))
        repository[f"data/te_in/{table.name}"] = table.read_bytes()
        audio = {f"{table.stem}/{clip.name}": clip.read_bytes() for clip in clips}
        repository[f"data/te_in/audio/{table.stem}.tar.gz"] = tar_of(audio)
    siblings = [{"rfilename": name, "size": len(data)} for name, data in repository.items()]
    tree = [{"type": "file", "path": name, "size": len(d), "oid": "b" * 40} for name, d in repository.items()]
    for revision in ("main", COMMIT):
        info = {"id": "google/fleurs", "sha": COMMIT, "siblings": siblings}
        server.json[f"/api/datasets/google/fleurs/revision/{revision}"] = (200, info)
        server.json[f"/api/datasets/google/fleurs/revision/{revision}?blobs=true"] = (200, info)
        server.json[f"/api/datasets/google/fleurs/tree/{revision}?recursive=true&expand=false"] = (200, tree)
        server.files |= {f"/datasets/google/fleurs/resolve/{revision}/{n}": data for n, data in repository.items()}
    rows, folder = fetched({"catalog": "fleurs/te_in"})
    assert len(rows) == len(list((tmp_path / "tiny").rglob("*.wav"))) > 0
    assert {row.language for row in rows.values()} == {"te"}
    texts = manifests.read_text(manifests.text_path(folder, "000"))
    assert len(list(texts)) > 0
    assert not [path for path in Path("data/raw/x").rglob("*") if path.suffix == ".gz"]
    assert json.loads((folder / "fetched.json").read_text())["commit"] == COMMIT
    assert scan.pinned_shards(folder) == 1
