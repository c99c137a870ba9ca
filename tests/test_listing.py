"""What counts as a file of a folder."""

from kaiku.listing import visible_files
from kaiku.store import digest, statcache


def names(folder):
    return [path.relative_to(folder).as_posix() for path in visible_files(folder)]


def test_hidden_files_and_all_in_hidden_folders_are_left_out(tmp_path):
    for name in ("b/z.bin", "b.bin", "a/.hidden", "a/y.bin", ".git/config", "a/.cache/huggingface/x.metadata"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert names(tmp_path) == ["a/y.bin", "b.bin", "b/z.bin"]
    before, seen = digest.of_tree(tmp_path), statcache.signature(tmp_path)
    (tmp_path / "a/.cache/huggingface/x.metadata").write_text("downloaded on another day")
    assert (digest.of_tree(tmp_path), statcache.signature(tmp_path)) == (before, seen)
    (tmp_path / "a/y.bin").write_text("other weights")
    assert digest.of_tree(tmp_path) != before


def test_links_to_files_count_and_links_to_nothing_do_not(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "blob").write_text("weights")
    (tmp_path / "here/model.bin").symlink_to(tmp_path / "blob")
    (tmp_path / "here/gone.bin").symlink_to(tmp_path / "nowhere")
    assert names(tmp_path / "here") == ["model.bin"]


def test_a_hidden_folder_that_is_asked_for_is_listed(tmp_path):
    (tmp_path / ".models").mkdir()
    (tmp_path / ".models/model.bin").write_text("weights")
    assert names(tmp_path / ".models") == ["model.bin"]
    assert names(tmp_path / "nowhere") == []
