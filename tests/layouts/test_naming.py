import unicodedata

import pytest

from kaiku.layouts import LONGEST_ID, audio_files, decode_text, name_recordings


def ids_of(*paths):
    ids, problems = name_recordings(paths)
    return [ids[p] for p in paths], problems


@pytest.mark.parametrize(
    ("path", "id"),
    [
        ("a.wav", "a"),
        ("A/b/c.MP3", "A--b--c"),
        ("two words.wav", "two words"),
        ("say \"hi\" 'now'.wav", "say \"hi\" 'now'"),
        ("tab\there.wav", "tab%09here"),
        ("line\nbreak\r.wav", "line%0Abreak%0D"),
        ("next\x85line\u2028s\u2029.wav", "next%C2%85line%E2%80%A8s%E2%80%A9"),
        ("100%.wav", "100%25"),
        ("100%25.wav", "100%2525"),
        ("a..b.wav", "a%2E%2Eb"),
        ("v1.2/talk.01.wav", "v1%2E2--talk%2E01"),
        ("back\\slash.wav", "back%5Cslash"),
        ("తెలుగు/నమస్కారం.wav", "తెలుగు--నమస్కారం"),
        ("క్\u200cష.wav", "క్\u200cష"),
        (unicodedata.normalize("NFD", "päivä.wav"), "päivä"),
        ("not-utf8-\udce9.wav", "not-utf8-%ED%B3%A9"),
    ],
)
def test_id(path, id):
    assert ids_of(path) == ([id], [])


def test_an_id_is_one_line_of_a_table_and_one_name():
    hostile = "".join(map(chr, range(1, 0x300))).replace("/", "") + "\u2028\u2029\ud800\udcff"
    (id,), _ = ids_of(f"{hostile[:40]}.wav")
    assert len(id.splitlines()) == 1 and not set(id) & set("\t\n/.\0")
    for start in range(0, len(hostile), 40):
        (id,), _ = ids_of(f"{hostile[start : start + 40]}.wav")
        id.encode()
        assert len(id.splitlines()) == 1 and not set(id) & set("\t\n/.\\\0")


def test_two_files_of_one_id_are_both_kept_and_told():
    ids, problems = ids_of("x/a.flac", "x/a.mp3", "x--a.wav", "y.wav")
    assert ids == ["x--a--flac", "x--a--mp3", "x--a", "y"]  # "x--a.wav" sorts first
    assert [p.where for p in problems] == ["x/a.flac", "x/a.mp3"]
    assert all("x--a.wav" in p.what for p in problems)


def test_a_suffixed_id_takes_none_that_a_name_asks_for():
    ids, problems = ids_of("a.flac", "a.mp3", "a--mp3.wav")
    assert ids[0] == "a" and ids[2] == "a--mp3"
    assert ids[1].startswith("a--mp3--") and len(set(ids)) == 3
    assert [p.where for p in problems] == ["a.mp3"]


def test_composed_and_decomposed_names_are_one_id():
    ids, problems = ids_of(unicodedata.normalize("NFD", "ä.wav"), "ä.wav")
    assert sorted(ids) == ["ä", "ä--wav"] and len(problems) == 1


def test_long_ids_are_cut_and_stay_apart():
    stem = "అ" * 100
    ids, problems = ids_of(f"{stem}1.wav", f"{stem}2.wav")
    assert len(set(ids)) == 2 and not problems
    assert all(len(id.encode()) <= LONGEST_ID for id in ids)


def test_audio_files_by_suffix_in_any_case():
    assert audio_files(["b.WAV", "a.webm", "c.txt", "wav", "d.npy", "e.Opus"]) == ["a.webm", "b.WAV", "e.Opus"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("näin".encode(), ("näin", "utf-8")),
        ("näin".encode("utf-8-sig"), ("näin", "utf-8")),
        ("näin".encode("latin-1"), ("näin", "cp1252")),
        ("“näin”".encode("cp1252"), ("“näin”", "cp1252")),
        ("näin".encode("utf-16"), ("näin", "utf-16")),
        (b"\x81\xe4", ("\ufffdä", "cp1252")),
        (b"", ("", "utf-8")),
    ],
)
def test_decode_text(data, expected):
    assert decode_text(data) == expected
