"""Checks that load a network or a reference: what they find, what enters their keys, what they refuse."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from synthetic_voice import recording, voice

from kaiku import loading, stages
from kaiku.audio.clips import ClipAudio
from kaiku.checks import speaker_similarity, voice_distance
from kaiku.errors import CorruptFile, KaikuError, SettingsError
from kaiku.settings import load
from kaiku.store import tables
from workflow_scripts import measure_segments, segment_recordings

RATE = 16_000


def clip(samples):
    return ClipAudio(np.asarray(samples, np.float32), RATE)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    return folder, speaker_similarity.tiny(folder)


def test_the_reference_itself_is_as_near_as_can_be(network, tmp_path):
    folder, settings = network
    reference = clip(soundfile.read(settings.reference, dtype="float32")[0])
    similar = speaker_similarity.load(settings, folder)
    assert similar.measure(reference)["speaker_similarity"] == pytest.approx(1, abs=1e-3)
    other = similar.measure(clip(np.random.default_rng(0).standard_normal(2 * RATE) * 0.1))["speaker_similarity"]
    assert -1 <= other < 0.999
    distant = voice_distance.load(voice_distance.Settings(reference=settings.reference), None)
    assert distant.measure(reference) == {"voice_distance_db": 0}
    assert distant.measure(clip(voice(2, 3)))["voice_distance_db"] > 1


def test_a_duller_channel_is_farther(tmp_path):
    own = recording(-0.3, 2, -0.3)
    soundfile.write(tmp_path / "own.wav", own, RATE)
    check = voice_distance.load(voice_distance.Settings(reference=str(tmp_path / "own.wav")), None)
    same = check.measure(clip(recording(-0.3, 2, -0.3, seed=50)))["voice_distance_db"]
    dull = check.measure(clip(np.convolve(own, np.hanning(9) / 4, mode="same")))["voice_distance_db"]
    assert same < dull


def test_too_short_and_silent_clips_have_no_figure(network):
    folder, settings = network
    similar = speaker_similarity.load(settings, folder)
    for samples in (np.zeros(2 * RATE), voice(0.3), np.zeros(0)):
        assert similar.measure(clip(samples)) == {"speaker_similarity": None}


def test_an_encoder_without_a_head_is_refused(network, tmp_path):
    folder, settings = network
    from safetensors.torch import load_file, save_file

    broken = shutil.copytree(folder, tmp_path / "broken")
    tensors = {k: v for k, v in load_file(broken / "model.safetensors").items() if not k.startswith("tdnn")}
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CorruptFile, match=r"missing or of another shape, first \['tdnn"):
        speaker_similarity.load(settings, broken)


def test_weights_of_half_the_precision_are_heard_in_full(network, tmp_path):
    import torch
    from transformers import WavLMForXVector

    folder, settings = network
    half = shutil.copytree(folder, tmp_path / "half")
    WavLMForXVector.from_pretrained(folder, dtype=torch.float16).save_pretrained(half)
    heard = [speaker_similarity.load(settings, place).measure(clip(voice(2, 3))) for place in (folder, half)]
    assert heard[0]["speaker_similarity"] == pytest.approx(heard[1]["speaker_similarity"], abs=0.01)


def test_weights_that_are_torn_or_of_another_shape_are_told(network, tmp_path):
    folder, settings = network
    broken = shutil.copytree(folder, tmp_path / "broken")
    weights = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(CorruptFile, match="broken"):
        speaker_similarity.load(settings, broken)
    (broken / "model.safetensors").write_bytes(weights)
    own = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps({**own, "xvector_output_dim": 8}))
    with pytest.raises(CorruptFile, match="broken"):
        speaker_similarity.load(settings, broken)


def test_a_gpu_that_is_insisted_on_is_not_replaced(network, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(KaikuError, match=r"`device: cuda`, but torch .* finds no GPU"):
        speaker_similarity.load(network[1].model_copy(update={"device": "cuda"}), network[0])


def test_no_product_is_rounded_to_tf32(network):
    import torch

    similar, seen = speaker_similarity.load(network[1], network[0]), []
    similar.network.register_forward_pre_hook(lambda *_: seen.append(torch.backends.cudnn.conv.fp32_precision))
    before = torch.backends.cudnn.conv.fp32_precision
    similar.measure(clip(voice(2, 3)))
    assert seen == ["ieee"] and torch.backends.cudnn.conv.fp32_precision == before != "ieee"


def test_a_folder_that_is_no_network_and_a_silent_reference_are_refused(network, tmp_path):
    folder, settings = network
    with pytest.raises(KaikuError, match=r"no config\.json"):
        speaker_similarity.load(settings, tmp_path)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    silent = {"reference": str(tmp_path / "silent.wav")}
    for check, options in ((speaker_similarity, {"model": "tiny", "device": "cpu"}), (voice_distance, {})):
        with pytest.raises(KaikuError, match=r"silent\.wav"):
            check.load(check.Settings(**silent, **options), folder)


# --- in a workspace


def config(network, reference):
    return {
        "system": "test",
        "corpora": {"voice": {"path": "raw", "layout": "wav_lab", "licence": "own"}},
        "bases": {"wavlm": {"path": str(network), "licence": "own"}},
        "checks": {
            "duration": {},
            "voice_distance": {"reference": str(reference)},
            "speaker_similarity": {"model": "wavlm", "reference": str(reference), "device": "cpu"},
        },
    }


def test_content_enters_the_key_and_its_place_does_not(network, tmp_path):
    folder, settings = network
    moved = shutil.copy(settings.reference, tmp_path / "elsewhere.wav")

    def keys(network, reference):
        own = load(config(network, reference))
        return [
            stages.measure(own, check, loading.check_digests(own, check)).item("x")
            for check in ("voice_distance", "speaker_similarity")
        ]

    first = keys(folder, settings.reference)
    assert keys(shutil.copytree(folder, tmp_path / "moved"), moved) == first
    soundfile.write(tmp_path / "other.wav", voice(2, 9), RATE)
    other = keys(folder, tmp_path / "other.wav")
    assert other[0] != first[0] and other[1] != first[1]
    (tmp_path / "moved/config.json").write_text((folder / "config.json").read_text() + "\n")
    edited = keys(tmp_path / "moved", settings.reference)
    assert edited[0] == first[0] and edited[1] != first[1]


def test_names_that_lead_nowhere_are_told(network, tmp_path):
    folder, settings = network
    wrong = config(folder, settings.reference)
    wrong["checks"]["speaker_similarity"]["model"] = "wavml"
    with pytest.raises(SettingsError, match=r"checks\.speaker_similarity\.model: 'wavml' is not among the bases"):
        load(wrong)
    del wrong["checks"]["speaker_similarity"]["model"]
    with pytest.raises(SettingsError, match=r"checks\.speaker_similarity\.model is missing"):
        load(wrong)
    gone = load(config(folder, tmp_path / "gone.wav"))
    with pytest.raises(KaikuError, match=r"checks\.voice_distance\.reference: .*gone\.wav is not there"):
        loading.check_digests(gone, "voice_distance")
    nothing = load(config(tmp_path / "nothing", settings.reference))
    with pytest.raises(KaikuError, match=r"checks\.speaker_similarity\.model: .*nothing is not there"):
        loading.check_digests(nothing, "speaker_similarity")


def test_another_reference_measures_what_depends_on_it_again(network, tmp_path, monkeypatch):
    folder, settings = network
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    for n in range(3):
        soundfile.write(f"raw/clip-{n}.wav", recording(-0.2, 1.2, -0.2, seed=20 * n), RATE)
        (tmp_path / f"raw/clip-{n}.lab").write_text("kaiku\n")
    (tmp_path / "reference.wav").write_bytes(Path(settings.reference).read_bytes())
    (tmp_path / "settings.json").write_text(json.dumps(config(folder, "reference.wav")))
    scan(load(config(folder, "reference.wav")))
    common = ["--settings", "settings.json", "--corpus", "voice"]
    audio = ["--audio", "segments.tar"]
    manifest = ["--manifest", "data/manifests/voice/000.audio.tsv", "--carry", "work/carry/segment"]
    assert segment_recordings.main([*common, *audio, *manifest, "--rows", "segments.parquet"]) == 0
    arguments = [*common, *audio, "--segments", "segments.parquet", "--rows", "measures.parquet", "--carry", "carry"]
    assert run(arguments) == (9, 0)
    assert run(arguments) == (0, 9)
    first = tables.measures(tmp_path / "measures.parquet")
    assert first["value"].notna().all() and set(first["measure"]) == {
        "duration_s",
        "voice_distance_db",
        "speaker_similarity",
    }
    soundfile.write("reference.wav", voice(2, 9), RATE)
    assert run(arguments) == (6, 3)


def run(arguments):
    counts = measure_segments.program(measure_segments.parser().parse_args(arguments))
    return counts.computed, counts.reused


def scan(settings):
    from kaiku.workspace.start import scan_corpus

    scan_corpus(settings, "voice", shards=1)
