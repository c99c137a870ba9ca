"""Tokens that lie beside a corpus' recordings are taken instead of encoding, through real Snakemake."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import small_world
import soundfile

from kaiku.codecs import env
from kaiku.store import artefacts, rows

CLIPS, SHARDS = 300, 2


def codec_of(world):
    return env.load(env.Settings(), world.root / "models/given/env")


def recording(world, clip):
    return next(path for path in world.corpus.glob(f"{clip}.*") if path.suffix in (".wav", ".ogg"))


def codes_for(world, clip, codec, seed):
    """Random codes of a clip's length, as fish-speech writes them: int64 [codebooks, frames]."""
    info = soundfile.info(recording(world, clip))
    frames = -(-round(info.frames / info.samplerate * codec.sample_rate) // codec.hop)
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, size, frames) for size in codec.codebook_sizes]).astype(np.int64)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corpus of 300 clips with their tokens beside them, up to its tokens; and what the tokens are."""
    world = small_world.build(tmp_path_factory.mktemp("given") / "w", CLIPS, SHARDS)
    codec = codec_of(world)
    given = {clip: codes_for(world, clip, codec, seed) for seed, clip in enumerate(world.clips())}
    for clip, codes in given.items():
        np.save(world.corpus / f"{clip}.npy", codes)
    config = world.config
    config["corpora"]["voice"]["tokens"] = {"codec": "env"}
    world.configure(config)
    world.snakemake(*targets(world))
    return world, given


@pytest.fixture
def world(made, tmp_path):
    shutil.copytree(made[0].root, tmp_path / "w", symlinks=True)
    shutil.rmtree(tmp_path / "w/logs/encode_tokens")
    return small_world.SmallWorld(tmp_path / "w", made[0].code, SHARDS)


def targets(world):
    return [f"data/tokens/env/voice/{shard}.npy" for shard in world.shard_names()]


def tokens(world):
    """Codes [frames, codebooks] by clip, and rows by clip."""
    codes, by_clip = {}, {}
    for shard in world.shard_names():
        base = world.root / f"data/tokens/env/voice/{shard}"
        array = np.load(base.with_suffix(".npy"))
        for row in rows.read(base.with_suffix(".parquet"), artefacts.TOKENS).to_pylist():
            by_clip[row["clip"]] = row
            codes[row["clip"]] = array[row["first"] : row["first"] + row["frames"]]
    return codes, by_clip


def said(world):
    return "".join(p.read_text() for p in sorted((world.root / "logs/encode_tokens").glob("*.log")))


def adopted(text):
    """How many the jobs adopted, refused, and had none for."""
    lines = [line for line in text.splitlines() if "tokens that came with the corpus" in line]
    numbers = [
        [int(word) for word in line.split(": ")[-1].replace(",", "").split() if word.isdigit()] for line in lines
    ]
    return [sum(column) for column in zip(*numbers)]


def test_all_are_adopted_and_none_is_encoded(made):
    world, given = made
    codes, by_clip = tokens(world)
    assert adopted(said(world)) == [CLIPS, 0, 0]
    assert codes.keys() == given.keys() and all(row["status"] == "ok" for row in by_clip.values())
    for clip, wanted in given.items():
        assert codes[clip].dtype == np.uint16 and np.array_equal(codes[clip], wanted.T), clip
    assert world.planned(*targets(world)) == {}


def test_those_that_cannot_be_the_clips_are_encoded_and_named(world, made):
    _, given = made
    codec, (long, wild, torn) = codec_of(world), world.clips()[:3]
    np.save(world.corpus / f"{long}.npy", np.tile(given[long], 2))
    np.save(world.corpus / f"{wild}.npy", given[wild] + max(codec.codebook_sizes))
    (world.corpus / f"{torn}.npy").write_bytes((world.corpus / f"{torn}.npy").read_bytes()[:-16])
    shards = {world.shard(clip) for clip in (long, wild, torn)}
    assert world.planned(*targets(world)) == {"encode_tokens": len(shards)}
    world.snakemake(*targets(world))
    codes, _ = tokens(world)
    text = said(world)
    assert adopted(text) == [0, 3, 0], "the others are carried over"
    assert sum(count["computed"] for count in world.counts("encode_tokens").values()) == 3
    for clip, why in ((long, "frames"), (wild, "in codebook 0"), (torn, "no array")):
        assert f"{clip}: not adopted, encoded: {clip}.npy " in text and why in text
        assert not np.array_equal(codes[clip], given[clip].T)
    for clip in world.clips()[3:]:
        assert np.array_equal(codes[clip], given[clip].T), clip


def test_an_edited_file_of_tokens_concerns_the_encoding_of_its_shard_alone(world, made):
    _, given = made
    clip = world.clips()[5]
    other = codes_for(world, clip, codec_of(world), seed=10_000)
    np.save(world.corpus / f"{clip}.npy", other)
    dry = world.snakemake("--dry-run", *targets(world))
    assert "voice: given tokens of 1 shard changed" in dry.stderr
    assert world.planned_jobs(*targets(world)) == [f"encode_tokens/env.voice.{world.shard(clip)}"]
    world.snakemake(*targets(world))
    codes, _ = tokens(world)
    assert np.array_equal(codes[clip], other.T)
    assert world.counts("encode_tokens")[f"env.voice.{world.shard(clip)}"]["computed"] == 1
    np.save(world.corpus / f"{clip}.npy", given[clip])
    world.snakemake(*targets(world))
    assert world.counts("encode_tokens")[f"env.voice.{world.shard(clip)}"]["computed"] == 0, "it was kept"


def test_an_edited_recording_is_encoded_though_its_old_tokens_lie_there(world, made):
    _, given = made
    clip = world.clips()[7]
    content = recording(world, clip).read_bytes()
    samples, rate = soundfile.read(recording(world, clip), dtype="int16")
    soundfile.write(recording(world, clip), samples[::-1], rate)
    world.snakemake(*targets(world))
    codes, _ = tokens(world)
    assert len(codes[clip]) == given[clip].shape[1] and not np.array_equal(codes[clip], given[clip].T)
    assert f"{clip}: not adopted, encoded: {clip}.npy lay beside other audio" in said(world)
    recording(world, clip).write_bytes(content)
    world.snakemake(*targets(world))
    assert np.array_equal(tokens(world)[0][clip], given[clip].T)


def test_other_weights_leave_adopted_tokens_alone_and_who_declares_none_has_all_encoded(world, made):
    _, given = made
    small_world.write_codec(world.root / "models/given/env", seed=1)
    world.snakemake(*targets(world))
    assert sum(count["computed"] for count in world.counts("encode_tokens").values()) == 0
    config = world.config
    del config["corpora"]["voice"]["tokens"]
    world.configure(config)
    assert world.planned(*targets(world)) == {"encode_tokens": SHARDS}
    world.snakemake(*targets(world))
    codes, _ = tokens(world)
    assert not any(np.array_equal(codes[clip], given[clip].T) for clip in given)
    config["corpora"]["voice"]["tokens"] = {"codec": "env"}
    world.configure(config)
    world.snakemake(*targets(world))
    assert sum(count["computed"] for count in world.counts("encode_tokens").values()) == 0
    assert all(np.array_equal(codes.T, given[clip]) for clip, codes in tokens(world)[0].items())


def test_the_passport_says_what_was_adopted(made):
    world, _ = made
    clip = world.clips()[0]
    call = world.call()
    command = [sys.executable, "-m", "workflow_scripts.explain_clip", clip, "--json"]
    done = subprocess.run(command, cwd=world.root, env={**os.environ, **call["env"]}, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert found["tokens"][0]["adopted_from"].endswith(f"data/raw/voice/{clip}.npy")
    assert not [line for line in found["staleness"] if "tokens" in line["artefact"] and line["stale"]]


def test_tokens_of_another_codec_are_found_out_where_one_asks(tmp_path):
    world = small_world.build(tmp_path / "w", 6, 1)
    codec = codec_of(world)
    config = world.config
    config["corpora"]["voice"]["tokens"] = {"codec": "env", "verify": 2}
    world.configure(config)
    for seed, clip in enumerate(world.clips()):
        np.save(world.corpus / f"{clip}.npy", codes_for(world, clip, codec, seed))
    done = world.snakemake(*targets(world), check=False)
    assert done.returncode and "first codes are what codec env gives. Expected: at least 20%" in said(world)
    for clip in world.clips():
        samples, _ = soundfile.read(recording(world, clip), dtype="float32")
        np.save(world.corpus / f"{clip}.npy", codec.encode(samples).T.astype(np.int64))
    world.snakemake(*targets(world))
    assert said(world).count("100.0% of ") == 2 and adopted(said(world))[0] == 6
    config["corpora"]["voice"]["tokens"]["verify"] = 0
    world.configure(config)
    assert world.planned(*targets(world)) == {}, "looking more closely changes no token"
