"""State that is broken, of another key, set aside, adopted."""

import json
import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
from disturbed import published, stopped, train_and_die_while_saving
from echo_family import SIZES, Sentence, make_spec

from kaiku.errors import KaikuError
from kaiku.train.curve import read_curve
from kaiku.train.run import train
from kaiku.train.settings import LoraSettings

# --- broken


@pytest.mark.parametrize("harm", ["cut", "altered", "missing", "no manifest"])
def test_a_broken_newest_checkpoint_falls_back(tmp_path, base, reference, exit_code_of, capsys, harm):
    spec = make_spec(tmp_path, base)
    stopped(spec, 30)
    newest, before = sorted((spec.state / "current" / "resume").iterdir(), reverse=True)
    optimizer = newest / "optimizer.pt"
    if harm == "cut":
        os.truncate(optimizer, 100)
    elif harm == "altered":
        optimizer.write_bytes(optimizer.read_bytes()[:-1] + b"?")
    else:
        (optimizer if harm == "missing" else newest / "manifest.json").unlink()
    assert train(spec).resumed_from == int(before.name[-6:])
    assert f"{newest} is not whole" in capsys.readouterr().err
    assert published(spec) == published(reference)


def test_without_a_whole_checkpoint_it_starts_from_nothing(tmp_path, base, reference):
    spec = make_spec(tmp_path, base)
    stopped(spec, 30)
    for manifest in spec.state.glob("current/resume/*/manifest.json"):
        manifest.unlink()
    weights = spec.state / "current" / "weights"
    shutil.copytree(weights / "step_000008", weights / "step_000011")
    assert train(spec).resumed_from == 0
    assert published(spec) == published(reference)


# --- another key


def changed(tmp_path, base, **settings):
    return make_spec(tmp_path, base, key="b" * 32, settings={"learning_rate": 2e-2, **settings})


def test_another_key_sets_the_state_aside_and_says_what_changed(tmp_path, base, capsys):
    done = stopped(make_spec(tmp_path, base))
    spec = changed(tmp_path, base)
    assert train(spec).resumed_from == 0
    told = capsys.readouterr().err
    assert "train.learning_rate from 0.01 to 0.02" in told and "train.resume: adopt" in told
    aside = spec.state / "set-aside" / "aaaaaaaa-1"
    assert len(read_curve(aside / "curve.jsonl")) == done
    assert json.loads((aside / "changes.json").read_text())["changed"] == {
        "train.learning_rate": {"before": 0.01, "after": 0.02}
    }


@pytest.mark.parametrize("restarted_first", [False, True])
def test_adopt_continues_with_the_new_configuration(tmp_path, base, restarted_first):
    done = stopped(make_spec(tmp_path, base))
    if restarted_first:
        stopped(changed(tmp_path, base), call=33)
    spec = changed(tmp_path, base, resume="adopt")
    assert train(spec).resumed_from == done
    rows = read_curve(spec.out / "curve.jsonl")
    rates = {row["step"]: row["learning_rate"] for row in rows}
    assert rates[2] == 0.01  # the old peak, before
    fresh = read_curve(make_and_train(tmp_path, changed(tmp_path, base)).out / "curve.jsonl")
    expected = {row["step"]: row["learning_rate"] for row in fresh}
    assert all(rates[step] == expected[step] for step in range(done + 1, 13))
    aside = sorted(p.name for p in (spec.state / "set-aside").glob("*")) if restarted_first else []
    assert aside == (["bbbbbbbb-2"] if restarted_first else [])


def make_and_train(tmp_path, spec):
    other = replace(spec, state=tmp_path / "fresh-state", out=tmp_path / "fresh-out")
    train(other)
    return other


def test_an_adopted_state_is_resumed_like_any_other(tmp_path, base):
    stopped(make_spec(tmp_path, base))
    done = stopped(changed(tmp_path, base, resume="adopt"), call=4)
    assert train(changed(tmp_path, base, resume="adopt")).resumed_from == done


@pytest.mark.parametrize("interrupted", [False, True])
def test_losses_on_other_sentences_are_compared_with_none(tmp_path, base, capsys, interrupted):
    done = stopped(make_spec(tmp_path, base, key_parts={"weights": {"val": "v1"}}), call=27)
    harder = {"val": noise(5), "key": "b" * 32, "key_parts": {"weights": {"val": "v2"}}}
    spec = make_spec(tmp_path, base, settings={"resume": "adopt", "max_steps": 20, "early_stop": 2}, **harder)
    if interrupted:
        assert stopped(spec, call=4) == done + 1
    result = train(spec)
    assert f"losses up to step {done} were measured otherwise: only later ones" in capsys.readouterr().err
    rows = read_curve(spec.out / "curve.jsonl")
    losses = {row["step"]: row["val_loss"] for row in rows if "val_loss" in row}
    assert min(losses[step] for step in losses if step <= done) < min(losses[step] for step in losses if step > done)
    assert result.best > done and result.last > 12, "by the old ones it would have ended there"
    assert json.loads((spec.out / "best.json").read_text())["val_loss"] == losses[result.best]


def noise(count):
    """Sentences in which there is nothing to learn."""
    rng = np.random.default_rng(0)
    return [Sentence("a", f"noise {i}", rng.integers(0, SIZES, (12, 2)).astype(np.uint16)) for i in range(count)]


@pytest.mark.parametrize("changes", [{"settings": {"learning_rate": 2e-2}}, {"lora": LoraSettings(r=2, alpha=8)}])
def test_what_changes_only_the_learning_leaves_losses_comparable(tmp_path, base, changes):
    stopped(make_spec(tmp_path, base, key_parts={"params": {"train": {"learning_rate": 0.01}}}))
    parts = {"params": {"train": {"learning_rate": 0.02}}}
    settings = {"resume": "adopt", **changes.pop("settings", {})}
    stopped(make_spec(tmp_path, base, key="b" * 32, key_parts=parts, settings=settings, **changes), call=4)
    assert json.loads((tmp_path / "run-state/current/key.json").read_text())["compare_after"] == 0


@pytest.mark.parametrize(("call", "done", "kept"), [(9, 3, [3]), (17, 6, [4, 6])])
@pytest.mark.parametrize("val", ["the same", "another"])
def test_an_adopted_training_that_is_done_already_publishes_its_last_step(tmp_path, base, call, done, kept, val):
    assert stopped(make_spec(tmp_path, base, key_parts={"weights": {"val": "the same"}}), call) == done
    held_out = {} if val == "the same" else {"val": noise(5)}
    spec = changed(tmp_path, base, resume="adopt", max_steps=done)
    spec = replace(spec, key_parts={"weights": {"val": val}}, **held_out)
    assert train(spec).last == done
    assert sorted(p.name for p in spec.out.glob("step_*")) == [f"step_{step:06d}" for step in kept]
    best = json.loads((spec.out / "best.json").read_text())
    last = read_curve(spec.out / "curve.jsonl")[-1]
    assert best == {"step": done, "last": done, "val_loss": last["val_loss"]}
    assert train(spec).last == done, "and again, as after a kill before the state was cleared"


def test_restart_sets_a_state_of_the_same_key_aside(tmp_path, base, reference):
    stopped(make_spec(tmp_path, base))
    spec = make_spec(tmp_path, base, settings={"resume": "restart"})
    assert train(spec).resumed_from == 0
    assert (spec.state / "set-aside" / "aaaaaaaa-1" / "resume").exists()
    assert published(spec) == published(reference)


def test_a_restarted_training_is_not_restarted_again(tmp_path, base):
    stopped(make_spec(tmp_path, base))
    done = stopped(make_spec(tmp_path, base, settings={"resume": "restart"}), call=30)
    assert train(make_spec(tmp_path, base, settings={"resume": "restart"})).resumed_from == done


def test_a_checkpoint_that_was_not_reached_again_is_not_published(tmp_path, base, exit_code_of):
    assert exit_code_of(train_and_die_while_saving, tmp_path, base) == -signal.SIGKILL
    spec = changed(tmp_path, base, resume="adopt", save_every=12)
    assert (spec.state / "current" / "weights" / "step_000008").exists()
    assert train(spec).resumed_from == 4
    assert sorted(p.name for p in spec.out.glob("step_*")) == ["step_000004", "step_000012"]


def test_a_state_of_another_shape_is_refused(tmp_path, base):
    stopped(make_spec(tmp_path, base))
    spec = changed(tmp_path, base, resume="adopt")
    wider = make_spec(tmp_path, base, key=spec.key, settings={"resume": "adopt"}, lora=LoraSettings(r=3))
    with pytest.raises(KaikuError, match=r"same base architecture, lora\.r and lora\.targets"):
        train(wider)
