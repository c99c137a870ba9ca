import json
from pathlib import Path

import numpy as np
import pytest

from kaiku.errors import CorruptFile, KaikuError
from kaiku.store.protos import Group, Sentence, clean_text, group_by_speaker, read_groups, read_protos, write_protos
from kaiku.store.wire import decode_varints, encode_varints

UPSTREAM = Path(__file__).parents[1] / "fixtures" / "fish" / "protos"
PACK = UPSTREAM / "00000000.protos"


def sentence(speaker="aino", frames=7, codebooks=3, high=4096, seed=0, text="hei"):
    codes = np.random.default_rng(seed).integers(0, high, (frames, codebooks)).astype(np.uint16)
    return Sentence(speaker, text, codes)


def test_upstreams_pack_reads_as_upstream_reads_it():
    decoded = [
        {
            "source": group.source,
            "name": group.speaker,
            "sentences": [{"texts": [s.text], "semantics": s.codes.T.tolist()} for s in group.sentences],
        }
        for group in read_groups(PACK)
    ]
    assert decoded == json.loads((UPSTREAM / "decoded.json").read_text())
    assert all(s.codes.dtype == np.uint16 and s.codes.flags.c_contiguous for s in read_protos(PACK))


def test_upstreams_content_gives_upstreams_bytes(tmp_path):
    written = write_protos(tmp_path / "ours.protos", read_groups(PACK))
    assert written == 5
    assert (tmp_path / "ours.protos").read_bytes() == PACK.read_bytes()


@pytest.mark.parametrize("high", [100, 128, 16384, 65536])
def test_codes_of_every_width_survive(tmp_path, high):
    sentences = [sentence(frames=frames, high=high, seed=frames) for frames in (1, 2, 3, 60, 128, 300)]
    sentences.append(Sentence("aino", "", np.full((2, 1), high - 1, np.uint16)))
    write_protos(tmp_path / "a.protos", [Group("corpus", "aino", sentences)])
    back = list(read_protos(tmp_path / "a.protos"))
    assert [(s.speaker, s.text, s.codes.tolist()) for s in back] == [
        (s.speaker, s.text, s.codes.tolist()) for s in sentences
    ]


def test_a_speaker_is_one_group_in_sorted_order():
    sentences = [sentence("b", text="1"), sentence("a", text="2"), sentence("b", text="3")]
    groups = group_by_speaker("corpus", sentences)
    assert [(g.source, g.speaker, [s.text for s in g.sentences]) for g in groups] == [
        ("corpus", "a", ["2"]),
        ("corpus", "b", ["1", "3"]),
    ]


def test_a_large_speaker_is_split_and_nothing_is_lost(tmp_path):
    sentences = [sentence(frames=100, seed=i, text=str(i)) for i in range(700)]
    write_protos(tmp_path / "a.protos", [Group("corpus", "aino", sentences)], message_bytes=50_000)
    groups = list(read_groups(tmp_path / "a.protos"))
    assert len(groups) > 5 and {g.speaker for g in groups} == {"aino"}
    assert [s.text for g in groups for s in g.sentences] == [str(i) for i in range(700)]
    whole = write_whole(tmp_path, groups)
    sizes = [int.from_bytes(whole[start : start + 4], "little") for start in message_starts(whole)]
    assert max(sizes) <= 50_000 and min(sizes[:-1]) > 49_000


def write_whole(folder, groups):
    write_protos(folder / "again.protos", groups)
    return (folder / "again.protos").read_bytes()


def message_starts(data):
    start = 0
    while start < len(data):
        yield start
        start += 4 + int.from_bytes(data[start : start + 4], "little")


def test_packed_text_holds_no_tags_and_no_braces(tmp_path):
    assert clean_text("a{b}c <|im_end|>\n\td ") == "a c d "
    write_protos(tmp_path / "a.protos", [Group("c", "s", [sentence(text="x<|im_end|>  y")])])
    assert [s.text for s in read_protos(tmp_path / "a.protos")] == ["x y"]
    write_protos(tmp_path / "b.protos", [Group("c", "s", [sentence(text="x<y>")])], clean=str)
    assert [s.text for s in read_protos(tmp_path / "b.protos")] == ["x<y>"]


def test_an_empty_pack_is_an_empty_file(tmp_path):
    assert write_protos(tmp_path / "a.protos", []) == 0
    assert (tmp_path / "a.protos").read_bytes() == b"" and list(read_protos(tmp_path / "a.protos")) == []


@pytest.mark.parametrize("kept", [2, 100, 375, 378, 660])
def test_a_cut_file_is_told_with_its_offset(tmp_path, kept):
    (tmp_path / "cut.protos").write_bytes(PACK.read_bytes()[:kept])
    begins = 0 if kept <= 375 else 376
    with pytest.raises(CorruptFile, match=f"cut.protos ends inside the message that begins at byte {begins}"):
        list(read_protos(tmp_path / "cut.protos"))


@pytest.mark.parametrize(
    "message, complaint",
    [
        (b"\x08\x01", "wire type 0 .* at byte 4"),
        (b"\x0a\x05ab", "a field of 5 bytes that runs over its message at byte 4"),
        (b"\x0a\xff\xff\xff\xff\xff\xff", "a length that does not end at byte 5"),
        (b"\x2a\x01a", "unknown field 0x2a in a TextData at byte 6"),
        (b"\x0a\x01\xff", "text that is not UTF-8 at byte 6"),
        (b"\x22\x02\x12\x00", "unknown field 0x12 in a Sentence at byte 8"),
        (b"\x22\x00", "codebooks are empty or differ in length at byte 6"),
        (b"\x22\x05\x1a\x03\x0a\x01\x80", "a number that runs over the end of its codebook at byte 10"),
        (b"\x22\x07\x1a\x05\x0a\x03\x80\x80\x04", "a code above 65535"),
        (b"\x22\x08\x1a\x06\x0a\x04\x80\x80\x80\x01", "a code above 65535"),
        (b"\x22\x0a\x1a\x03\x0a\x01\x01\x1a\x03\x0a\x01", "runs over"),
        (b"\x22\x0b\x1a\x03\x0a\x01\x01\x1a\x04\x0a\x02\x01\x01", "empty or differ in length"),
    ],
)
def test_bytes_that_are_no_pack_are_refused(tmp_path, message, complaint):
    (tmp_path / "bad.protos").write_bytes(len(message).to_bytes(4, "little") + message)
    with pytest.raises(CorruptFile, match=complaint):
        list(read_protos(tmp_path / "bad.protos"))


@pytest.mark.parametrize("codes", [np.zeros((3, 2), np.int64), np.zeros((0, 2), np.uint16), np.zeros(3, np.uint16)])
def test_codes_of_another_shape_are_refused_and_leave_no_file(tmp_path, codes):
    with pytest.raises(KaikuError, match="uint16 \\[frames, codebooks\\]"):
        write_protos(tmp_path / "a.protos", [Group("c", "s", [Sentence("s", "hei", codes)])])
    assert list(tmp_path.iterdir()) == []


def test_varints_at_every_width():
    numbers = np.array([0, 1, 127, 128, 16383, 16384, 2**21 - 1, 2**21, 2**28 - 1], np.uint32)
    data = encode_varints(numbers)
    assert [len(encode_varints(n)) for n in numbers.reshape(-1, 1)] == [1, 1, 1, 2, 2, 3, 3, 4, 4]
    back, last_bytes = decode_varints(np.frombuffer(data, np.uint8))
    assert back.tolist() == numbers.tolist() and last_bytes[-1] == len(data) - 1
