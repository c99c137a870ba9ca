"""Which arrays can be a codec's tokens, and what is made of those that can."""

import io

import numpy as np
import pytest

from kaiku.adoption import Form, Geometry, codes, form, refusal

CODEC = Geometry((4096, 1024, 1024), hop=2048, sample_rate=44_100)
SECONDS = 2.0  # 44 frames


def saved(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def tokens(frames=44, dtype=np.int64, **changed):
    rng = np.random.default_rng(0)
    made = np.stack([rng.integers(0, size, frames) for size in CODEC.codebook_sizes]).astype(dtype)
    for book, value in changed.items():
        made[int(book[-1]), 3] = value
    return made


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.int16, np.uint16, ">i4"])
@pytest.mark.parametrize("order", "CF")
def test_what_fish_speech_writes_is_taken_as_frames_by_codebooks(dtype, order):
    made = np.asarray(tokens(dtype=dtype), order=order)
    data = saved(made)
    found = form(data)
    assert found.shape == (3, 44) and found.highest == tuple(made.max(axis=1)) and found.error == ""
    assert refusal(found, CODEC, SECONDS, 1) == ""
    assert np.array_equal(np.frombuffer(codes(data), "<u2").reshape(44, 3), made.T)


@pytest.mark.parametrize(("frames", "taken"), [(42, False), (43, True), (44, True), (45, True), (46, False)])
def test_a_frame_more_or_less_may_be(frames, taken):
    told = refusal(form(saved(tokens(frames))), CODEC, SECONDS, 1)
    assert bool(told) != taken and (taken or f"has {frames} frames; the codec makes 44 of 2.000 s" in told)
    assert refusal(form(saved(tokens(42))), CODEC, SECONDS, 2) == ""


@pytest.mark.parametrize(("seconds", "frames"), [(2048 / 44_100, 1), (2049 / 44_100, 2), (1 / 44_100, 1), (4.0, 87)])
def test_the_last_frame_of_a_clip_is_filled_up(seconds, frames):
    assert CODEC.frames(seconds) == frames


REFUSED = {
    "[44, 3] (it stands as [frames, codebooks])": saved(tokens().T),
    "has the shape [2, 44]": saved(tokens()[:2]),
    "has the shape [132]": saved(tokens().ravel()),
    "has the shape [1, 3, 44]": saved(tokens()[None]),
    "holds float32": saved(tokens().astype(np.float32)),
    "holds bool": saved(tokens() > 3),
    "holds int64 of the shape [3, 0]": saved(tokens()[:, :0]),
    "holds -1; codes begin at 0": saved(tokens(book1=-1)),
    "holds 4096 in codebook 0, whose codes end at 4095": saved(tokens(book0=4096)),
    "holds 1024 in codebook 2, whose codes end at 1023": saved(tokens(book2=1024)),
    "no array that NumPy reads": saved(tokens())[:-8],
    "is no array that NumPy reads": b"",
    "is no array": b"RIFF of some sound",
    "is no array that": saved(np.array([{"a": 1}], dtype=object), allow_pickle=True),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_cannot_be_is_told(told):
    assert told in refusal(form(REFUSED[told]), CODEC, SECONDS, 1)


def test_a_form_is_all_that_is_needed_to_judge():
    assert refusal(Form("int64", (3, 44), 0, (4095, 1023, 1023)), CODEC, SECONDS, 1) == ""
