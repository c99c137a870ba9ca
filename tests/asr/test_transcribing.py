"""How a shard's clips reach a transcriber: in batches of about one length, and none takes another with it."""

from types import SimpleNamespace

import numpy as np
import pytest

from kaiku.asr import Spoken, Transcript
from kaiku.store.items import Item
from workflow_scripts import transcribe_segments as program


class Loud:
    """A transcriber that hears how loud a clip is; it breaks at silence, and keeps an account of what it was given."""

    def __init__(self):
        self.heard = []

    def transcribe(self, clip):
        return self.transcribe_batch([clip])[0]

    def transcribe_batch(self, clips):
        self.heard.append(len(clips))
        if any(not clip.audio.any() for clip in clips):
            raise RuntimeError("silence")
        return [Transcript(f"{clip.audio[0]:.1f}", None, "fi") for clip in clips]


def item(name, length_s, level):
    row = {"clip": name, "level": level}
    return Item(name, name, (row, Spoken(0.0, length_s, length_s, "fi")))


def audio(row):
    if row["level"] is None:
        raise OSError("no such file")
    return SimpleNamespace(samples=np.full(160, row["level"], np.float32), sample_rate=16000)


@pytest.fixture
def said():
    clips, loud = SimpleNamespace(audio=audio), Loud()

    def of(batch):
        found = program.transcribe(loud, "audio", clips, batch)
        return [outcome.rows[0].get("text_raw", outcome.error) for outcome in found], loud.heard

    return of


def test_batches_are_of_about_one_length_and_the_longest_first():
    found = program.batches([item(f"c{n}", n % 4 + 1, 0.5) for n in range(7)], 3)
    assert [[i.id for i in batch] for batch in found] == [["c3", "c2", "c6"], ["c1", "c5", "c0"], ["c4"]]


def test_without_batches_the_order_stays():
    given = [item(f"c{n}", n % 2 + 1, 0.5) for n in range(3)]
    assert list(program.batches(given, 1)) == [[one] for one in given]


def test_a_batch_is_heard_at_once(said):
    assert said([item("a", 1, 0.5), item("b", 1, 0.2)]) == (["0.5", "0.2"], [2])


def test_a_clip_that_cannot_be_read_or_heard_takes_no_other_with_it(said):
    texts, heard = said([item("a", 1, 0.5), item("b", 1, None), item("c", 1, 0.0), item("d", 1, 0.3)])
    assert texts == ["0.5", "OSError: no such file", "RuntimeError: silence", "0.3"]
    assert heard == [3, 1, 1, 1]
