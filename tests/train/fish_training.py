"""Short trainings of a tiny fish model."""

import numpy as np
from disturbed import at_call, die
from echo_family import Sentence, make_spec

from kaiku.families import fish
from kaiku.train.run import train
from kaiku.train.settings import LoraSettings

SIZES = (64, 32, 32)


def speak(count, seed):
    rng = np.random.default_rng(seed)
    return [
        Sentence("aino", f"lause {i}", rng.integers(0, SIZES, size=(int(rng.integers(4, 12)), 3)).astype(np.uint16))
        for i in range(count)
    ]


def make_fish_spec(folder, base, name="run", settings=None, lora=LoraSettings(r=2, dropout=0.1)):  # noqa: B008
    sizes = fish.ModelSizes(
        dim=32, n_layer=2, n_head=2, n_local_heads=1, intermediate_size=32, fast_dim=16, fast_n_head=2,
        fast_n_local_heads=1, fast_intermediate_size=16, max_seq_len=256,
    )  # fmt: skip
    chosen = fish.Settings(model=sizes, input_noise=0.3)
    return make_spec(
        folder,
        base,
        name,
        family=fish.load(chosen),
        family_settings=chosen,
        codebook_sizes=SIZES,
        train=speak(13, seed=1),
        val=speak(4, seed=2),
        lora=lora,
        settings={"max_steps": 6, "eval_every": 2, "save_every": 2, "learning_rate": 1e-3} | (settings or {}),
    )


def train_and_die(folder, base, lora, call):
    spec = make_fish_spec(folder, base, lora=lora)
    loss, before_loss = spec.family.loss, at_call(call, die)

    def disturbed_loss(model, batch):
        before_loss(model)
        return loss(model, batch)

    spec.family.loss = disturbed_loss
    train(spec)
