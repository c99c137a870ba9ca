import pytest

from kaiku.errors import CorruptFile
from kaiku.store import manifests
from kaiku.store.manifests import AudioRow, TextRow

AWKWARD = [
    "plain",
    "tab\there",
    "two\nlines\r\nand more\r",
    "back\\slash \\t \\n \\\\ end\\",
    "తెలుగు",
    "quote \" ' quote",
    "\u2028 \u2029 \x85 \x0b \x0c \x1c",
    " spaces ",
    "#",
    "",
]


def audio(recording, **fields):
    row = {"path": f"{recording}.wav", "digest": "d" * 32, "bytes": 7, "speaker": "s", "language": "fi", "extras": {}}
    return AudioRow(recording, **{**row, **fields})


@pytest.mark.parametrize("text", AWKWARD)
def test_any_text_comes_back_in_any_field(tmp_path, text):
    found = [audio("a"), audio(f"x{text}", path=text, speaker=text, language=text, extras={text: text}), audio("z")]
    texts = [TextRow("a", None, None, text), TextRow(f"x{text}", 0.1, 1 / 3, text), TextRow("z", 0.0, 1e9, "")]
    assert manifests.write_audio(tmp_path / "a", found) and manifests.write_text(tmp_path / "t", texts)
    assert manifests.read_audio(tmp_path / "a") == found
    assert manifests.read_text(tmp_path / "t") == texts
    assert manifests.read_digests(tmp_path / "a") == {row.recording: row.digest for row in found}
    for name in "at":
        assert (tmp_path / name).read_bytes().count(b"\n") == 4
        assert {line.count(b"\t") for line in (tmp_path / name).read_bytes().splitlines() if line} in ({6}, {3})


def test_a_file_is_written_only_where_it_differs(tmp_path):
    path = tmp_path / "000.audio.tsv"
    assert manifests.write_audio(path, [audio("a")])
    before = path.stat().st_ino, path.stat().st_mtime_ns
    assert not manifests.write_audio(path, [audio("a")])
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == before
    assert manifests.write_audio(path, [audio("a"), audio("b")])
    assert path.stat().st_ino != before[0]


def test_extras_have_one_form(tmp_path):
    manifests.write_audio(tmp_path / "a", [audio("a", extras={"x": "1", "y": "2"})])
    assert not manifests.write_audio(tmp_path / "a", [audio("a", extras={"y": "2", "x": "1"})])


def test_an_empty_shard_is_a_header(tmp_path):
    manifests.write_audio(tmp_path / "a", [])
    assert (tmp_path / "a").read_text() == "recording\tpath\tdigest\tbytes\tspeaker\tlanguage\textras\n"
    assert manifests.read_audio(tmp_path / "a") == []


HEAD = "recording\tstart_s\tend_s\ttext\n"


@pytest.mark.parametrize(
    "content,said",
    [
        ("", "header ''"),
        ("recording\ttext\n", r"header 'recording\\ttext'"),
        (HEAD + "a\t\t\tfine\n<<<<<<< HEAD\n", "line 3: 1 fields"),
        (HEAD + "a\t0\t1\ttoo\tmany\n", "line 2: 5 fields"),
        (HEAD + "a\tzero\t1\tx\n", "line 2: "),
        (HEAD + "a\t0\t1\tends in \\\n", "line 2: "),
        (HEAD + "a\t0\t1\t\\x\n", "line 2: "),
    ],
)
def test_what_is_no_manifest_is_refused_with_its_line(tmp_path, content, said):
    path = tmp_path / "000.text.tsv"
    path.write_text(content)
    with pytest.raises(CorruptFile, match=rf"000\.text\.tsv[:,] {said}") as told:
        manifests.read_text(path)
    assert "the next run scans the corpus again" in str(told.value)


@pytest.mark.parametrize("field", ["a\tp\td\tmany\ts\tl\t{}", "a\tp\td\t7\ts\tl\t{", "a\tp\td\t7\ts\tl\t"])
def test_numbers_and_extras_are_checked(tmp_path, field):
    manifests.write_audio(tmp_path / "a", [])
    with open(tmp_path / "a", "a") as f:
        f.write(field + "\n")
    with pytest.raises(CorruptFile, match="line 2"):
        manifests.read_audio(tmp_path / "a")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "t").write_bytes(HEAD.encode() + b"a\t\t\t\xff\n")
    with pytest.raises(CorruptFile, match="not UTF-8"):
        manifests.read_text(tmp_path / "t")


def test_line_ends_of_another_system_are_read(tmp_path):
    (tmp_path / "t").write_bytes((HEAD + "a\t\t\ttext\n").replace("\n", "\r\n").encode())
    assert manifests.read_text(tmp_path / "t") == [TextRow("a", None, None, "text")]
