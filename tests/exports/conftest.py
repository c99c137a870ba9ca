"""A workspace with a dataset that the programs themselves made, to be exported."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from exported_world import World


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return World()


@pytest.fixture
def spoken(world):
    """Six clips for training, one for val, one for test; texts with what tables trip over."""
    texts = ["yksi|kaksi", "Tänään on 5. päivä", 'kolme "neljä"', "viisi, kuusi", "seitsemän", "kahdeksan"]
    for number, text in enumerate(texts):
        world.speak(f"clip-{number}", text)
    world.speak("clip-val", "yhdeksän")
    world.speak("clip-test", "kymmenen")
    world.make()
    return world
