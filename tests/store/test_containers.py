import tarfile

import numpy as np
import pytest

from kaiku.errors import CorruptFile, KaikuError
from kaiku.store import containers
from kaiku.store.containers import Npy, Tar, read_npy_shape

NAMES = [
    "plain",
    "päivä-ääni",
    "తెలుగు కథ",
    "a%2Fb%2Ec",
    'quote\'d "name"',
    "x" * 99,
    "x" * 101,
    "folder/" + "y" * 90 + "/" + "z" * 120,
    "w" * 300,
    "ö" * 150,
    "tab\tand newline\n",
]
PAYLOADS = [b"", b"a", b"b" * 511, b"c" * 512, b"d" * 513, b"\0" * 10, b"e" * 5000, b"f", b"g", b"h", b"i"]


def test_a_tar_is_one_that_tarfile_reads(tmp_path):
    path = tmp_path / "clips.tar"
    places = Tar(".flac").write(path, [*zip(NAMES, PAYLOADS), ("without", None)])
    with tarfile.open(path, "r:") as archive:
        members = [(member.name, archive.extractfile(member).read()) for member in archive]
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in archive.getmembers()} == {(0, 0, 0, "", "")}
    assert members == [(name + ".flac", payload) for name, payload in zip(NAMES, PAYLOADS)]
    assert places[-1] == (-1, 0)
    read = Tar(".flac").open(path)
    assert [bytes(read(*place)) for place in places[:-1]] == PAYLOADS
    assert path.stat().st_size % 512 == 0


def test_equal_payloads_give_equal_bytes(tmp_path):
    for name in "ab":
        Tar(".flac").write(tmp_path / f"{name}.tar", zip(NAMES, PAYLOADS))
        Npy(3).write(tmp_path / f"{name}.npy", [("x", codes(4, 3)), ("y", None), ("z", codes(2, 3))])
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_payloads_are_taken_one_by_one(tmp_path):
    """A payload is asked for when the one before it has been written, so that a shard is never held whole."""
    path, sizes = tmp_path / "a.tar", []

    def payloads():
        for number in range(3):
            sizes.append(next(tmp_path.glob(".a.tar.*.part")).stat().st_size)
            yield f"{number}", b"x" * 100_000

    Tar(".bin").write(path, payloads())
    assert sizes[0] < 100_000 < sizes[1] < 200_000 < sizes[2]


def codes(frames, width, start=0):
    return np.arange(start, start + frames * width, dtype="<u2").reshape(frames, width).tobytes()


@pytest.mark.parametrize("width", [1, 9])
def test_an_npy_is_what_numpy_writes_and_maps(tmp_path, width):
    path, container = tmp_path / "codes.npy", Npy(width)
    payloads = [codes(5, width), None, codes(0, width), codes(70_000 // width, width, 9)]
    places = container.write(path, zip("abcd", payloads))
    rows = 5 + 70_000 // width
    assert places == [(0, 5), (-1, 0), (5, 0), (5, 70_000 // width)]
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    assert mapped.dtype == np.dtype("<u2") and mapped.shape == (rows, width)
    assert mapped.tobytes() == payloads[0] + payloads[3]
    np.save(tmp_path / "numpy.npy", np.array(mapped))
    assert path.read_bytes() == (tmp_path / "numpy.npy").read_bytes()
    read = container.open(path)
    assert [bytes(read(*place)) for place in places if place[0] >= 0] == [payloads[0], payloads[2], payloads[3]]
    assert read_npy_shape(path) == (rows, width)


def test_containers_without_any_payload(tmp_path):
    assert Tar(".bin").write(tmp_path / "a.tar", [("x", None)]) == [(-1, 0)]
    assert Npy(2).write(tmp_path / "a.npy", []) == []
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert archive.getmembers() == []
    assert np.load(tmp_path / "a.npy", mmap_mode="r").shape == (0, 2)
    for read in (Tar(".bin").open(tmp_path / "a.tar"), Npy(2).open(tmp_path / "a.npy")):
        assert bytes(read(0, 0)) == b""


@pytest.mark.parametrize("place", [(0, 10**6), (10**6, 1), (-1, 1), (-5, 10), (600, -1), (1024, 10**12)])
def test_a_place_outside_the_file_is_refused(tmp_path, place):
    Tar(".bin").write(tmp_path / "a.tar", [("x", b"abc")])
    Npy(2).write(tmp_path / "a.npy", [("x", codes(3, 2))])
    for read in (Tar(".bin").open(tmp_path / "a.tar"), Npy(2).open(tmp_path / "a.npy")):
        with pytest.raises(CorruptFile, match=r"a\.(tar|npy): (bytes|rows) .* of "):
            read(*place)


def test_an_npy_that_is_not_what_its_header_says_is_refused(tmp_path):
    path = tmp_path / "a.npy"
    Npy(2).write(path, [("x", codes(3, 2))])
    whole = path.read_bytes()
    for content in (b"", whole[:50], whole[:-1], whole + b"\0\0\0\0", b"no array at all" * 20):
        path.write_bytes(content)
        with pytest.raises(CorruptFile, match="Delete the file"):
            Npy(2).open(path)
    path.write_bytes(whole)
    with pytest.raises(CorruptFile, match=r"shape \(3, 2\).*Expected: \[frames, 3\]"):
        Npy(3).open(path)
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(CorruptFile):
        Npy(2).open(path)
    (tmp_path / "a.tar").write_bytes(b"")
    with pytest.raises(CorruptFile, match="0 bytes"):
        Tar(".bin").open(tmp_path / "a.tar")


def test_codes_of_another_width_are_not_written(tmp_path):
    with pytest.raises(KaikuError, match=r"clip-7: 18 bytes of codes\. Expected: rows of 2 uint16"):
        Npy(2).write(tmp_path / "a.npy", [("clip-7", codes(3, 3))])
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_breaks_off_leaves_nothing(tmp_path):
    def payloads():
        yield "a", b"abc"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        Tar(".bin").write(tmp_path / "a.tar", payloads())
    assert list(tmp_path.iterdir()) == []


MEMBERS = ["a", "otso--talk@00001000-00002500", "n" * 95, "n" * 96, "n" * 200, "päivä", "folder/name", "%41 ~", ""]
SIZES = [0, 1, 511, 512, 0o77777777777, 0o77777777777 + 1]


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("size", SIZES)
def test_a_member_has_the_header_that_tarfile_writes(name, size):
    info = tarfile.TarInfo(name)
    info.size = size
    assert containers._tar_header(name, size) == info.tobuf(tarfile.PAX_FORMAT)
