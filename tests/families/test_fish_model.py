import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from kaiku.errors import CorruptFile, KaikuError
from kaiku.families import Limits, fish
from kaiku.families.fish.generate import sample
from kaiku.families.fish.sequence import add_noise
from kaiku.store.protos import Sentence

SIZES = (128, 64, 64)
SMALL = fish.Settings(
    model=fish.ModelSizes(dim=32, n_layer=2, intermediate_size=48, fast_dim=24, fast_intermediate_size=32)
)


@pytest.fixture
def small(tmp_path):
    """A random base with bytes as its vocabulary, as a run from nothing makes it."""
    family = fish.load(SMALL)
    family.new_base(SMALL, SIZES, 0, tmp_path / "base")
    return family, tmp_path / "base"


def sentence(frames=9, seed=0, sizes=SIZES, text="hei"):
    codes = np.random.default_rng(seed).integers(0, sizes, (frames, len(sizes))).astype(np.uint16)
    return Sentence("aino", text, codes)


def test_a_base_from_nothing_is_of_its_seed_only(small, tmp_path):
    family, folder = small
    state = torch.get_rng_state()
    family.new_base(SMALL, SIZES, 0, tmp_path / "again")
    family.new_base(SMALL, SIZES, 1, tmp_path / "other")
    assert torch.equal(state, torch.get_rng_state())
    weights, again, other = (
        load_file(f / "model.safetensors") for f in (folder, tmp_path / "again", tmp_path / "other")
    )
    assert all(torch.equal(weights[key], again[key]) for key in weights)
    assert not torch.equal(weights["output.weight"], other["output.weight"])
    assert family.load_base(folder).config.codebook_sizes == list(SIZES)


def test_the_toys_size_is_what_was_tried():
    settings = fish.Settings()
    family = fish.load(settings)
    with torch.device("meta"):
        from kaiku.families.fish.config import DualARConfig
        from kaiku.families.fish.model import DualAR

        model = DualAR(
            DualARConfig(
                **settings.model.model_dump(), head_dim=32, fast_head_dim=24, vocab_size=388, codebook_size=128,
                num_codebooks=3, codebook_sizes=[128] * 3,
            )
        )  # fmt: skip
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(0.86e6, rel=0.03)
    assert family.settings.input_noise == 0.3


def test_layers_that_carry_adapters(small):
    family, folder = small
    model = family.load_base(folder)
    assert {n for n, _ in model.named_modules() if re.fullmatch(family.lora_targets, n)} == {
        "embeddings",
        "codebook_embeddings",
        "output",
        "fast_embeddings",
        "fast_output",
        *(
            f"{stack}.{part}"
            for stack in ("layers.0", "layers.1", "fast_layers.0")
            for part in ("attention.wqkv", "attention.wo", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3")
        ),
    }


def test_padding_moves_no_logit(small):
    family, folder = small
    model = family.load_base(folder)
    examples = [family.example(sentence(frames, seed=frames)) for frames in (3, 40, 17)]
    together = model(**family.collate(examples))
    apart = [model(**family.collate([example])) for example in examples]
    for part in ("token", "codes"):
        difference = (getattr(together, part) - torch.cat([getattr(one, part) for one in apart])).abs().max()
        assert difference.item() < 1e-5


def test_levels_add_up_to_the_losses(small):
    family, folder = small
    model = family.load_base(folder)
    batch = family.collate([family.example(sentence(frames)) for frames in (5, 8)])
    loss, levels = family.loss(model, batch), family.levels(model, batch)
    assert {name: count for name, (_, count) in levels.items()} == {
        "level_0": 13,
        "level_1": 13,
        "level_2": 13,
        "end": 2,
    }
    assert (loss["token"][1], loss["codes"][1]) == (15, 39)
    assert (levels["level_0"][0] + levels["end"][0]).item() == pytest.approx(loss["token"][0].item(), rel=1e-6)
    assert (levels["level_1"][0] + levels["level_2"][0]).item() < loss["codes"][0].item()


def test_noise_moves_whole_frames_of_the_batch_and_nothing_else(small):
    family, folder = small
    family.open_base(folder)
    clean = family.collate([family.example(sentence(400, seed=i)) for i in range(8)])
    noisy = family.collate([family.example(sentence(400, seed=i)) for i in range(8)], torch.Generator().manual_seed(0))
    assert torch.equal(clean["labels"], noisy["labels"])
    changed = (clean["inputs"] != noisy["inputs"]).any(1)  # [B, T]
    is_frame = clean["inputs"][:, 0] >= family.tokenizer.semantic_begin
    assert not changed[~is_frame].any()
    known = {tuple(column) for column in clean["inputs"].transpose(1, 2)[is_frame].tolist()}
    assert {tuple(column) for column in noisy["inputs"].transpose(1, 2)[changed].tolist()} <= known
    shares = changed.sum(1) / is_frame.sum(1)
    assert shares.max() < 0.65 and shares.min() < 0.2 < shares.max() and len(set(shares.tolist())) > 4
    assert torch.equal(add_noise(clean["inputs"], is_frame, 0.0, torch.Generator()), clean["inputs"])


@pytest.mark.parametrize(
    "codes, complaint",
    [
        (np.zeros((4, 2), np.uint16), "2 codebooks"),
        (np.full((4, 3), 100, np.uint16), r"codes up to \[100 100 100\]"),
        (np.zeros((3000, 3), np.uint16), "3005 positions"),
    ],
)
def test_clips_that_do_not_fit_the_base_are_refused(small, codes, complaint):
    family, folder = small
    family.open_base(folder)
    with pytest.raises(KaikuError, match=complaint):
        family.example(Sentence("aino", "hei", codes))


def test_a_prompt_without_room_is_refused(small):
    family, folder = small
    model = family.load_base(folder)
    with pytest.raises(KaikuError, match="Speak the text in parts"):
        family.generate(model, family.prompt("x" * 3000), seed=0, limits=Limits()).codes()


def test_cached_steps_give_the_whole_forwards_logits(small):
    family, folder = small
    model = family.load_base(folder)
    prompt = family.prompt("hyvää päivää")
    generation = family.generate(model, prompt, seed=0, limits=Limits(max_frames=20, temperature=1e-6, top_p=1e-6))
    codes = generation.codes()
    example = family.example(Sentence("", "hyvää päivää", codes))
    batch = family.collate([example])
    assert torch.equal(batch["inputs"][0, :, : prompt.shape[1]], prompt)
    with torch.no_grad():
        output = model(**batch)
    begin = model.config.semantic_begin_id
    token = output.token[:, begin:][: len(codes)].argmax(-1)
    assert token.tolist() == codes[:, 0].tolist()
    for level, size in enumerate(SIZES[1:], 1):
        assert output.codes[:, level, :size].argmax(-1).tolist() == codes[:, level].tolist()


def test_sampling_follows_the_probabilities():
    logits = torch.tensor([0.1, 0.6, 0.25, 0.05]).log()
    draws = (torch.arange(1000) + 0.5) / 1000

    def shares(**kwargs):
        return torch.bincount(torch.stack([sample(logits, d, **kwargs) for d in draws]), minlength=4).tolist()

    assert shares(temperature=1.0, top_p=1.0) == [100, 600, 250, 50]
    assert shares(temperature=1.0, top_p=0.7) == [0, 706, 294, 0]
    assert shares(temperature=1.0, top_p=1e-6) == [0, 1000, 0, 0]
    cooler = shares(temperature=0.5, top_p=1.0)
    assert cooler[1] == pytest.approx(1000 * 0.36 / (0.01 + 0.36 + 0.0625 + 0.0025), abs=1)
    assert sample(torch.tensor([-torch.inf, 0.0]), torch.tensor(1 - 2**-24), 1.0, 1.0) == 1


def test_upstreams_pickle_loads_with_wrapper_prefix_and_old_names(small, tmp_path):
    family, folder = small
    weights = load_file(folder / "model.safetensors")
    old = {}
    for key, value in weights.items():
        if key.endswith("wqkv.weight"):
            heads = value.shape[0] // 8  # 4 query, 2 key and 2 value heads
            parts = zip(("wq", "wk", "wv"), value.split([4 * heads, 2 * heads, 2 * heads]))
            old |= {f"model.{key.replace('wqkv', name)}": part.clone() for name, part in parts}
        else:
            old[f"model.{key}"] = value
    old["model.audio_head.weight"] = torch.zeros(2)
    torch.save({"state_dict": old}, folder / "model.pth")
    (folder / "model.safetensors").unlink()
    model = family.load_base(folder)
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())


def test_weights_that_do_not_fit_are_named(small):
    family, folder = small
    weights = load_file(folder / "model.safetensors")
    weights["extra.weight"] = weights.pop("norm.weight")
    weights["output.weight"] = torch.zeros(3, 32)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(KaikuError) as error:
        family.load_base(folder)
    for told in ("1 missing: norm.weight", "1 unknown: extra.weight", "output.weight [3, 32] instead of [388, 32]"):
        assert told in str(error.value)


def test_adapters_are_no_base(small):
    family, folder = small
    save_file({"layers.0.attention.wqkv.lora_A": torch.zeros(2)}, folder / "model.safetensors")
    with pytest.raises(KaikuError, match="merge them into their base first"):
        family.load_base(folder)


def test_a_cut_pickle_is_told(small):
    family, folder = small
    torch.save(load_file(folder / "model.safetensors"), folder / "model.pth")
    (folder / "model.safetensors").unlink()
    (folder / "model.pth").write_bytes((folder / "model.pth").read_bytes()[:1000])
    with pytest.raises(CorruptFile, match=r"model.pth cannot be read"):
        family.load_base(folder)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("model.safetensors", POINTER, "cannot be read: .* Expected: a safetensors file"),
        ("model.safetensors", lambda whole: whole[:-100], "cannot be read: .* Expected: a safetensors file"),
        ("config.json", lambda whole: whole[:50], "cannot be read: .* Expected: a JSON file"),
        ("config.json", b"[]", "holds a list. Expected: a JSON object"),
        ("config.json", lambda whole: whole.replace(b'"dim": 32', b'"dim": "32"'), ": .*dim"),
        ("kaiku.json", b"{}", r": codebook_sizes None\. Expected: 3 whole numbers"),
        ("kaiku.json", b'{"codebook_sizes": [128, 32]}', r": codebook_sizes \[128, 32\]\. Expected: 3 whole numbers"),
        ("byte_tokenizer.json", b"{}", r": semantic_tokens None\. Expected: a whole number"),
    ],
)
def test_a_broken_file_of_a_base_is_told_by_its_name(small, name, content, complaint):
    family, folder = small
    whole = (folder / name).read_bytes()
    broken = content(whole) if callable(content) else content
    assert broken != whole
    (folder / name).write_bytes(broken)
    with pytest.raises(CorruptFile, match=f"{name}.*{complaint}") as told:
        family.load_base(folder)
    assert str(folder) in str(told.value)


def test_a_pickle_of_anything_else_is_told(small):
    family, folder = small
    (folder / "model.safetensors").unlink()
    torch.save([torch.zeros(2)], folder / "model.pth")
    with pytest.raises(CorruptFile, match=r"model\.pth holds a list"):
        family.load_base(folder)


def test_a_projection_without_its_others_is_told(small):
    family, folder = small
    weights = load_file(folder / "model.safetensors")
    weights["layers.0.attention.wq.weight"] = weights.pop("layers.0.attention.wqkv.weight")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "model.pth")
    with pytest.raises(KaikuError, match=r"1 missing: layers\.0\.attention\.wqkv\.weight; 1 unknown: .*\.wq\.weight"):
        family.load_base(folder)


@pytest.mark.parametrize(
    "change, complaint",
    [
        (lambda text: text.replace("dual_ar", "llama"), "model_type 'llama'"),
        (lambda text: text.replace('"tie_word_embeddings": false', '"tie_word_embeddings": true'), "tied"),
        (lambda text: text.replace('"vocab_size": 388', '"vocab_size": 300'), "388 ids, 128 of them for codes"),
    ],
)
def test_configs_that_we_cannot_run_are_refused(small, change, complaint):
    family, folder = small
    (folder / "config.json").write_text(change((folder / "config.json").read_text()))
    with pytest.raises(KaikuError, match=complaint):
        family.load_base(folder)


def test_export_for_upstream_holds_its_keys_and_its_pickle(small, tmp_path):
    import json
    from pathlib import Path

    _, folder = small
    family = fish.load(SMALL.model_copy(update={"export_pickle": True}))
    family.export(family.load_base(folder, torch.bfloat16), tmp_path / "out")
    upstream = Path(__file__).parents[1] / "fixtures" / "fish" / "model" / "config.json"
    assert set(json.loads((tmp_path / "out" / "config.json").read_text())) == set(json.loads(upstream.read_text()))
    pickled, safe = torch.load(tmp_path / "out" / "model.pth"), load_file(tmp_path / "out" / "model.safetensors")
    assert all(torch.equal(pickled[key], safe[key]) for key in safe) and len(pickled) == len(safe)
    assert {value.dtype for value in safe.values()} == {torch.bfloat16}
