"""Trainings that are killed, stopped, changed and spoiled, against one that nothing disturbed."""

import json
import signal
from collections import Counter
from functools import partial

import numpy as np
import pytest
import torch
from disturbed import (
    at_call,
    published,
    train_and_die,
    train_and_die_before_retaining,
    train_and_die_while_saving,
    train_and_terminate,
    train_and_terminate_with_helpers,
)
from echo_family import EchoFamily, make_spec
from safetensors.torch import load_file

import kaiku.train.lora
from kaiku.errors import KaikuError
from kaiku.store.owner import Superseded
from kaiku.store.protos import Sentence, group_by_speaker, write_protos
from kaiku.train.curve import read_curve
from kaiku.train.run import train
from kaiku.train.settings import LoraSettings
from kaiku.train.state import clear
from kaiku.train.stop import stop_request
from workflow_scripts.train_model import corpora_of

ADAPTER = "adapter_model.safetensors"


# --- what is published


def test_a_training_publishes_checkpoints_choice_curve_and_record(reference):
    names = sorted(published(reference))
    steps = [f"step_0000{n:02}/{name}" for n in (8, 12) for name in ("adapter_config.json", ADAPTER)]
    assert names == ["best.json", "curve.jsonl", *steps]
    rows = read_curve(reference.out / "curve.jsonl")
    assert [row["step"] for row in rows] == list(range(1, 13))
    losses = {row["step"]: row["val_loss"] for row in rows if "val_loss" in row}
    assert sorted(losses) == [2, 4, 6, 8, 10, 12]
    best = json.loads((reference.out / "best.json").read_text())
    assert best["last"] == 12 and best["val_loss"] == losses[best["step"]] == min(losses[n] for n in (4, 8, 12))
    record = json.loads((reference.out / "run.json").read_text())
    assert record["sentences"] == {"train": 17, "val": 5}
    assert record["speakers"] == {
        split: dict(Counter(s.speaker for s in getattr(reference, split))) for split in ("train", "val")
    }
    assert record["frames"]["train"] == sum(len(s.codes) for s in reference.train)
    trained = sum(t.numel() for t in load_file(reference.out / "step_000012" / ADAPTER).values())
    assert record["parameters"]["trained"] == trained


def test_no_path_of_this_machine_is_published(reference):
    assert not any(str(reference.base.parent).encode() in data for data in published(reference).values())


def test_the_held_out_loss_falls(reference):
    losses = [row["val_loss"] for row in read_curve(reference.out / "curve.jsonl") if "val_loss" in row]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("speed", [{"workers": 2}, {"device": "auto"}])
def test_what_changes_only_speed_changes_no_byte(tmp_path, base, reference, speed):
    if torch.cuda.is_available() and "device" in speed:
        pytest.skip("another device rounds differently")
    spec = make_spec(tmp_path, base, settings=speed)
    train(spec)
    assert published(spec) == published(reference)


def test_the_best_checkpoint_outlives_newer_ones(tmp_path, base):
    def worsen(model):
        with torch.no_grad():
            model.heads[0].lora_B["default"].weight[0] += 50.0

    spec = make_spec(tmp_path, base, settings={"keep": 1, "save_every": 2})
    spec.family.before_loss = at_call(24, worsen)
    result = train(spec)
    assert result.best < 12 and result.last == 12
    assert sorted(p.name for p in spec.out.glob("step_*")) == [f"step_{result.best:06d}", "step_000012"]


def test_early_stop_ends_after_evaluations_without_progress(tmp_path, base):
    spec = make_spec(tmp_path, base, settings={"early_stop": 2, "learning_rate": 3.0, "max_steps": 40})
    result = train(spec)
    rows = read_curve(spec.out / "curve.jsonl")
    losses = [row["val_loss"] for row in rows if "val_loss" in row]
    assert result.last == rows[-1]["step"] < 40
    assert losses.index(min(losses)) == len(losses) - 3


# --- killed and stopped


@pytest.mark.parametrize("call", [10, 26, 34])
def test_killed_and_resumed_equals_undisturbed(tmp_path, base, reference, exit_code_of, call):
    assert exit_code_of(train_and_die, tmp_path, base, call) == -signal.SIGKILL
    spec = make_spec(tmp_path, base)
    done = len(read_curve(spec.state / "current" / "curve.jsonl"))
    result = train(spec)
    assert result.resumed_from == done // 4 * 4
    assert published(spec) == published(reference)


def test_a_mixed_training_is_recorded_and_resumes_equal(tmp_path, base, reference, exit_code_of):
    mixed = {"mix": {"aino": 2.0, "otso": 0.5}, "corpora": ("aino",) * 5 + ("otso",) * 12}
    straight = make_spec(tmp_path, base, "straight", **mixed)
    train(straight)
    assert json.loads((straight.out / "run.json").read_text())["mix"] == mixed["mix"]
    assert "mix" not in json.loads((reference.out / "run.json").read_text())
    assert published(straight) != published(reference)
    assert exit_code_of(partial(train_and_die, **mixed), tmp_path, base, 26) == -signal.SIGKILL
    again = make_spec(tmp_path, base, **mixed)
    assert train(again).resumed_from == 4
    assert published(again) == published(straight)


def test_killed_while_saving_resumes_from_the_checkpoint_before(tmp_path, base, reference, exit_code_of):
    assert exit_code_of(train_and_die_while_saving, tmp_path, base) == -signal.SIGKILL
    spec = make_spec(tmp_path, base)
    assert list((spec.state / "current" / "resume").glob(".*.part"))
    assert (spec.state / "current" / "weights" / "step_000008").exists()
    assert train(spec).resumed_from == 4
    assert not list(spec.state.rglob(".*.part"))
    assert published(spec) == published(reference)


def test_killed_before_the_last_checkpoints_were_chosen_keeps_those_of_an_undisturbed_run(
    tmp_path, base, reference, exit_code_of
):
    assert exit_code_of(train_and_die_before_retaining, tmp_path, base) == -signal.SIGKILL
    spec = make_spec(tmp_path, base)
    assert len(list((spec.state / "current" / "weights").iterdir())) == 3
    assert train(spec).resumed_from == 12
    assert published(spec) == published(reference)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_saves_at_the_end_of_the_step_and_exits_75(tmp_path, base, reference, exit_code_of, number):
    assert exit_code_of(train_and_terminate, tmp_path, base, 30, number) == 75
    spec = make_spec(tmp_path, base)
    assert not spec.out.exists()
    done = len(read_curve(spec.state / "current" / "curve.jsonl"))
    assert done % 4 and (spec.state / "current" / "resume" / f"step_{done:06d}").exists()
    assert train(spec).resumed_from == done
    assert published(spec) == published(reference)


def test_a_stop_reaches_helpers_without_hurting_them(tmp_path, base, reference, exit_code_of):
    assert exit_code_of(train_and_terminate_with_helpers, tmp_path, base, 20) == 75
    assert train(make_spec(tmp_path, base)).resumed_from
    assert published(make_spec(tmp_path, base)) == published(reference)


def test_a_closed_terminal_stops_nothing_under_nohup():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_request() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop
            signal.raise_signal(signal.SIGTERM)
            assert stop.signal is signal.SIGTERM
    finally:
        signal.signal(signal.SIGHUP, before)


def test_training_all_weights_from_nothing_resumes_equal(tmp_path, exit_code_of):
    whole = make_spec(tmp_path, None, "whole", lora=None)
    train(whole)
    assert exit_code_of(partial(train_and_die, lora=None), tmp_path, None, 30) == -signal.SIGKILL
    spec = make_spec(tmp_path, None, lora=None)
    assert train(spec).resumed_from in (4, 8)
    assert published(spec) == published(whole)
    assert {p.name for p in (spec.out / "step_000012").iterdir()} == {"config.json", "model.safetensors"}


def test_a_finished_training_that_was_not_cleared_only_publishes(tmp_path, base, reference):
    spec = make_spec(tmp_path, base)
    train(spec)
    spec.family.before_loss = at_call(3, lambda model: pytest.fail("a step was trained"))  # two prove the adapter
    assert train(spec).resumed_from == 12
    assert published(spec) == published(reference)
    clear(spec.state)
    assert sorted(p.name for p in spec.state.iterdir()) == ["lock", "owner"]


def test_an_orphan_leaves_the_work_to_its_successor(tmp_path, base):
    spec = make_spec(tmp_path, base)
    spec.family.before_loss = at_call(20, lambda model: (spec.state / "owner").write_text("successor"))
    with pytest.raises(Superseded):
        train(spec)
    assert not spec.out.exists()
    done = len(read_curve(spec.state / "current" / "curve.jsonl"))
    assert done < 12 and (spec.state / "current" / "resume" / f"step_{done:06d}" / "manifest.json").exists()


# --- guards


def test_a_base_that_was_trained_along_is_found_out(tmp_path, base):
    def drift(model):
        with torch.no_grad():
            model.mix.base_layer.weight[0, 0] += 1e-3

    spec = make_spec(tmp_path, base)
    spec.family.before_loss = at_call(20, drift)
    with pytest.raises(
        KaikuError, match=r"1 of 8 base tensors have changed by the end of the training, first mix.weight"
    ):
        train(spec)
    assert not spec.out.exists()


def test_a_base_drawn_anew_while_attaching_is_found_out(tmp_path, base, monkeypatch):
    attach = kaiku.train.lora.attach

    def attach_and_redraw(model, *args):
        model.heads[0].reset_parameters()
        return attach(model, *args)

    monkeypatch.setattr(kaiku.train.lora, "attach", attach_and_redraw)
    with pytest.raises(KaikuError, match="2 of 8 base tensors have changed while the adapter was attached"):
        train(make_spec(tmp_path, base))


def test_an_adapter_that_is_not_neutral_at_first_is_found_out(tmp_path, base, monkeypatch):
    config = kaiku.train.lora.LoraConfig
    monkeypatch.setattr(kaiku.train.lora, "LoraConfig", partial(config, init_lora_weights=False))
    with pytest.raises(KaikuError, match="the fresh adapter changed the loss of 'first'"):
        train(make_spec(tmp_path, base))


@pytest.mark.parametrize("empty", ["train", "val"])
def test_empty_data_is_refused(tmp_path, base, empty):
    with pytest.raises(KaikuError, match="held out"):
        train(make_spec(tmp_path, base, **{empty: []}))


def test_packs_tell_the_corpus_of_each_sentence(tmp_path):
    paths = [tmp_path / "aino-000.protos", tmp_path / "aino-2-013.protos"]
    for path, count in zip(paths, (1, 2), strict=True):
        sentences = [Sentence("kai", "text", np.ones((3, 2), np.uint16))] * count
        write_protos(path, group_by_speaker(path.stem, sentences))
    assert corpora_of(paths) == ["aino", "aino-2", "aino-2"]


def test_a_mix_of_a_corpus_without_a_clip_is_refused(tmp_path, base):
    with pytest.raises(KaikuError, match=r"mix\.otso: no training sentence is of that corpus, of 17 in all"):
        train(make_spec(tmp_path, base, mix={"otso": 2.0}, corpora=("aino",) * 17))


def test_targets_that_match_nothing_are_refused(tmp_path, base):
    with pytest.raises(KaikuError, match=r"lora.targets"):
        train(make_spec(tmp_path, base, lora=LoraSettings(targets="nothing")))


def test_an_adapter_needs_a_base(tmp_path):
    with pytest.raises(KaikuError, match="no base model"):
        train(make_spec(tmp_path, None))


def test_bf16_keeps_trained_weights_in_float32(tmp_path, base, reference):
    spec = make_spec(tmp_path, base, settings={"precision": "bf16"})
    train(spec)
    found, exact = (load_file(s.out / "step_000012" / ADAPTER) for s in (spec, reference))
    assert {t.dtype for t in found.values()} == {torch.float32}
    assert any(not torch.equal(found[name], exact[name]) for name in exact)


def test_a_model_without_checkpointing_says_so(tmp_path, base):
    with pytest.raises(KaikuError, match="gradient_checkpointing: false"):
        train(make_spec(tmp_path, base, settings={"gradient_checkpointing": True}))


def test_the_base_folder_is_not_written_to(base, reference):
    assert sorted(p.name for p in base.iterdir()) == ["config.json", "model.safetensors"]
    assert EchoFamily().load_base(base, torch.float32).mix.weight.shape == (16, 16)
