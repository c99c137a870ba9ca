"""State that is broken, of another key, set aside, adopted."""

import json
import os
import shutil
import signal
from dataclasses import replace

import pytest
from disturbed import published, stopped, train_and_die_while_saving
from echo_family import make_spec

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
