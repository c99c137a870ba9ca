import pytest

from kaiku.layouts import vctk

FILES = {
    **{f"wav48_silence_trimmed/p225/p225_001_mic{n}.flac": b"" for n in (1, 2)},
    "wav48_silence_trimmed/p280/p280_001_mic1.flac": b"",
    "wav48_silence_trimmed/p315/p315_001_mic1.flac": b"",
    "txt/p225/p225_001.txt": "Please call Stella.\n",
    "txt/p280/p280_001.txt": "Ask her.\n",
    "speaker-info.txt": "ID AGE GENDER\n",
}


def test_tiny(tiny):
    recordings, problems = tiny(vctk, language="en")
    place, id = "wav48_silence_trimmed", "wav48_silence_trimmed--"
    assert recordings == {
        f"{place}/p225/p225_001_mic1.flac": (
            *(f"{id}p225--p225_001_mic1", "p225", "en", "Please call Stella."),
            {"mic": "mic1"},
        ),
        f"{place}/p226/p226_001_mic1.flac": (
            *(f"{id}p226--p226_001_mic1", "p226", "en", "Please call Stella."),
            {"mic": "mic1"},
        ),
        f"{place}/p226/p226_002_mic1.flac": (f"{id}p226--p226_002_mic1", "p226", "en", "", {"mic": "mic1"}),
    }
    assert problems == [(f"{place}/p226/p226_002_mic1.flac", "has no text under txt/")]


@pytest.mark.parametrize(
    ("mic", "taken", "told"),
    [
        ("mic1", ["p225_001_mic1", "p280_001_mic1", "p315_001_mic1"], ["has no text under txt/"]),
        ("mic2", ["p225_001_mic2"], ["is of p280, who has no mic2", "is of p315, who has no mic2"]),
        ("both", ["p225_001_mic1", "p225_001_mic2", "p280_001_mic1", "p315_001_mic1"], ["has no text under txt/"]),
    ],
)
def test_microphones(corpus, mic, taken, told):
    recordings, problems = corpus(vctk, FILES, mic=mic)
    assert [path.split("/")[-1].removesuffix(".flac") for path in recordings] == taken
    assert [p.what for p in problems] == told
    assert {r.extras["mic"] for r in recordings.values()} == ({"mic1", "mic2"} if mic == "both" else {mic})


def test_a_release_of_one_microphone(corpus):
    files = {"wav48/p225/p225_001.wav": b"", "txt/p225/p225_001.txt": "x", "txt/p225/p225_009.txt": "y"}
    recordings, problems = corpus(vctk, files, mic="mic2")
    found = recordings["wav48/p225/p225_001.wav"]
    assert (found.speaker, found.texts[0].text, found.extras) == ("p225", "x", {})
    assert [(p.where, p.what) for p in problems] == [("txt/p225/p225_009.txt", "belongs to no recording")]
