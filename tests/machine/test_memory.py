"""What a job takes of its node's memory: more with heavier weights, and told where there are none yet."""

import pytest

from kaiku import settings as configuration
from kaiku.loading import asr_memory_mb
from kaiku.machine.memory import memory_mb, weight_bytes

MB = 10**6


@pytest.fixture
def model(tmp_path):
    """A model of 300 MB in two files that takes no room."""
    (tmp_path / "model/part").mkdir(parents=True)
    for name in ("model.safetensors", "part/codec.pth"):
        with open(tmp_path / "model" / name, "wb") as file:
            file.truncate(150 * MB)
    (tmp_path / "model/tokenizer.json").write_text("{}" * MB)
    return tmp_path / "model"


def test_weights_count_and_nothing_else(model, tmp_path):
    assert weight_bytes(model) == 300 * MB
    assert weight_bytes(tmp_path / "fetched later") == 0


def test_three_times_the_weights_beside_the_rest(model, tmp_path):
    assert memory_mb(2000, model, None, tmp_path / "fetched later") == 2000 + 900
    assert memory_mb(2000) == 2000


def asr(model, **options):
    made = configuration.load(
        {
            "system": "x",
            "corpora": {"c": {"layout": "recordings", "language": "fi", "licence": "own"}},
            "bases": {"w": {"path": str(model), "licence": "MIT"}},
            "asr": {"heard": {"kind": "whisper", "model": "w", "options": options}},
            "datasets": {"d": {"corpora": ["c"]}},
        }
    )
    return asr_memory_mb(made, made.asr["heard"])


def test_a_recogniser_takes_more_with_more_workers_and_larger_batches(model):
    one, workers, batch = (asr(model, device="cpu", batch_size=size, workers=n) for size, n in ((1, 1), (1, 3), (3, 1)))
    assert one == 1000 + 600 + 300
    assert workers == batch == 1000 + 600 + 3 * 300


def test_on_a_gpu_workers_take_the_cards_memory(model):
    assert asr(model, device="cuda", workers=4, batch_size=8) == 1000 + 900
