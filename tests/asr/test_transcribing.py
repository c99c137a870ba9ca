"""How a shard's clips reach a transcriber: in batches of about one length, side by side, none takes another with it."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from made_clips import tone

from kaiku.asr import Spoken, Transcript, whisper
from kaiku.loading import asr_cores, asr_gpus
from kaiku.machine import hardware
from kaiku.sections import AsrSettings
from kaiku.store import artefacts, items, rows
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


def published(folder, missing, hear, workers, max_failed=1.0):
    """The bytes of a shard's transcripts heard so, and the job's counts."""
    artefact = artefacts.transcripts(folder / "000.parquet", folder / "carry", None)

    def compute(wanted):
        for batch, found in program.side_by_side(hear, program.batches(wanted, 2), workers):
            yield from zip(batch, found, strict=True)

    counts = items.run(artefact, missing, compute, label="transcribe", max_failed=max_failed)
    return (folder / "000.parquet").read_bytes(), counts


def heard_by(transcriber, clips):
    return lambda batch: program.transcribe(transcriber, "audio", clips, batch)


def labelled(name, length_s, level):
    return replace(item(name, length_s, level), label=lambda row: {"clip": name, "text": row.get("text_raw")})


def test_side_by_side_makes_the_same_rows_in_the_same_order_and_an_error_stays_a_row(tmp_path):
    levels = [0.1, None, 0.3, 0.0, 0.5, 0.6, 0.7]
    clips, given = SimpleNamespace(audio=audio), [labelled(f"c{n}", n % 3 + 1, level) for n, level in enumerate(levels)]
    made = [published(tmp_path / str(n), given, heard_by(Loud(), clips), n) for n in (1, 3)]
    assert made[0] == made[1]
    assert (made[0][1].computed, made[0][1].failed) == (5, 2)
    table = rows.read(tmp_path / "3/000.parquet").to_pylist()
    assert [row["clip"] for row in table] == [f"c{n}" for n in range(7)]
    assert [row["error"] for row in table] == ["", "OSError: no such file", "", "RuntimeError: silence", "", "", ""]


def test_so_many_are_in_work_at_once_and_no_more():
    together, lock, most = threading.Barrier(3, timeout=20), threading.Lock(), [0, 0]

    def hear(batch):
        with lock:
            most[0] += 1
            most[1] = max(most)
        together.wait()  # breaks unless three are in work
        with lock:
            most[0] -= 1
        return [batch[0].upper()]

    found = {batch[0]: heard[0] for batch, heard in program.side_by_side(hear, [[c] for c in "abcdef"], 3)}
    assert found == {c: c.upper() for c in "abcdef"} and most[1] == 3


def test_a_job_that_ends_keeps_all_but_what_was_in_work(tmp_path):
    """Memory that runs out ends a job; the next one hears what the first had not finished."""
    clips, given = SimpleNamespace(audio=audio), [labelled(f"c{n}", 9 - n, 0.1 * (n + 1)) for n in range(8)]

    class Full(Loud):
        def transcribe_batch(self, clips):
            if clips[0].audio[0] > 0.65:
                raise MemoryError("2 workers")
            return super().transcribe_batch(clips)

    with pytest.raises(MemoryError, match="2 workers"):
        published(tmp_path, given, heard_by(Full(), clips), 2)
    _, counts = published(tmp_path, given, heard_by(Loud(), clips), 2)
    assert (counts.computed + counts.reused, counts.failed) == (8, 0)
    assert counts.reused >= 2, "the batches before the last two"


def test_a_fault_begins_nothing_more_and_what_was_in_work_is_kept(monkeypatch):
    heard, all_places_taken, broken, wait = [], threading.Event(), threading.Event(), program.wait

    def waiting(*running, **how):
        all_places_taken.set()
        return wait(*running, **how)

    def hear(batch):
        heard.append(batch[0])
        if batch == ["a"]:
            assert all_places_taken.wait(20)
            raise MemoryError("2 workers")
        assert broken.wait(20)
        return [batch[0].upper()]

    def batches():
        yield from (["a"], ["b"], ["c"])  # "c" waits for a place
        broken.set()
        yield ["d"]

    monkeypatch.setattr(program, "wait", waiting)
    found = []
    with pytest.raises(MemoryError, match="2 workers"):
        for done in program.side_by_side(hear, batches(), 2):
            found.append(done)
    assert found == [(["b"], ["B"])] and sorted(heard) == ["a", "b"]


def test_whisper_hears_the_same_by_one_worker_and_by_three(tmp_path):
    settings = whisper.tiny(tmp_path)
    lengths = zip((0.4, 3, 12, 30, 2), ("fi", "pt", "te", "en", "de"), strict=True)
    spoken = [tone(length, tag, 2**n * 60) for n, (length, tag) in enumerate(lengths)]
    given = [
        replace(labelled(f"c{n}", 1, n), work=({"level": n}, replace(clip, audio=clip.audio[:0])))
        for n, clip in enumerate(spoken)
    ]
    clips = SimpleNamespace(audio=lambda row: SimpleNamespace(samples=spoken[row["level"]].audio, sample_rate=16000))
    made = []
    for workers in (1, 3):
        model = whisper.load(settings.model_copy(update={"workers": workers}), tmp_path)
        assert model.workers == workers
        made.append(published(tmp_path / str(workers), given, heard_by(model, clips), workers))
    assert made[0] == made[1] and made[0][1].computed == 5
    table = rows.read(tmp_path / "3/000.parquet").to_pylist()
    assert [row["language"] for row in table] == ["fi", "pt", "te", "en", "de"] and all(row["text"] for row in table)


def test_memory_that_workers_take_from_each_other_is_no_fault_of_a_clip(tmp_path, monkeypatch):
    settings = whisper.tiny(tmp_path)

    def full(*_, **__):
        raise RuntimeError("CUDA failed with error out of memory")

    for workers, kind in ((1, RuntimeError), (2, MemoryError)):
        model = whisper.load(settings.model_copy(update={"workers": workers}), tmp_path)
        monkeypatch.setattr(model, "_together", full)
        with pytest.raises(kind, match="out of memory"):
            model.transcribe(tone(1, "fi", 200))


def test_a_job_loads_as_many_workers_as_the_memory_has_room_for(tmp_path, monkeypatch):
    whisper.tiny(tmp_path)
    for options, room, workers in (({}, 8, 1), ({"workers": 3}, 8, 3), ({"workers": 3}, 1, 1)):
        own = AsrSettings(kind="whisper", model="w", options={"device": "cpu", "gpus": 2, **options})
        monkeypatch.setattr(hardware, "free_memory", lambda room=room: room * 10**9)
        loaded = program.load(SimpleNamespace(asr={"heard": own}), "heard", tmp_path)
        assert loaded.workers == workers and loaded.settings.gpus == 1


def test_a_job_asks_for_the_cores_and_gpus_of_its_workers():
    def asked(**options):
        own = AsrSettings(kind="whisper", model="w", options=options)
        return asr_cores(own), asr_gpus(own)

    assert asked() == (1, 1)
    assert asked(threads=2, workers=3, gpus=2) == (6, 2)
    assert asr_cores(AsrSettings(kind="given")) == 1
