"""Our evaluation of the network against ONNX Runtime's of the same file."""

import numpy as np
import pytest
from synthetic_voice import recording

from kaiku.audio.onnx_weights import read_weights
from kaiku.audio.silero import CONTEXT, FRAME, START, Network, fold
from kaiku.audio.vad import weights_file
from kaiku.errors import CorruptFile


def test_probabilities_and_state_are_those_of_onnx_runtime():
    import onnxruntime

    rng = np.random.default_rng(1)
    speech = recording(-0.5, 2.0, -0.5, 2.5, -0.5)
    noise = rng.normal(0, 0.05, 40 * FRAME).astype(np.float32)
    samples = np.concatenate([speech[: len(speech) // FRAME * FRAME], noise])
    frames = samples.reshape(-1, FRAME)
    contexts = np.concatenate([np.zeros((1, CONTEXT), np.float32), frames[:-1, -CONTEXT:]])
    inputs, zero = np.concatenate([contexts, frames], axis=1), np.zeros((1, 1, 128), np.float32)
    session = onnxruntime.InferenceSession(weights_file(), providers=["CPUExecutionProvider"])
    expected, hidden, cell = session.run(["speech_probs", "hn", "cn"], {"input": inputs, "h": zero, "c": zero})
    probabilities, state = Network(weights_file())(inputs, START)
    assert expected.max() > 0.9 and expected.min() < 0.1
    np.testing.assert_allclose(probabilities, expected.reshape(-1), atol=2e-5)
    np.testing.assert_allclose(state.hidden, hidden.reshape(-1), atol=1e-4)
    np.testing.assert_allclose(state.cell, cell.reshape(-1), atol=1e-3)
    half = len(inputs) // 2
    first, between = Network(weights_file())(inputs[:half], START)
    second, _ = Network(weights_file())(inputs[half:], between)
    np.testing.assert_allclose(np.concatenate([first, second]), probabilities, atol=1e-5)


def test_a_basis_that_cannot_be_folded_is_refused():
    basis = read_weights(weights_file())["stft.forward_basis_buffer"][:, 0].T.copy()
    cosines, sines = fold(basis)
    assert cosines.shape == (128, 129) and sines.shape == (127, 129)
    basis[3, 7] += 1e-3
    with pytest.raises(CorruptFile, match="not symmetric"):
        fold(basis)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x07\xff\xff")
    with pytest.raises(CorruptFile, match="not an ONNX model"):
        read_weights(path)
