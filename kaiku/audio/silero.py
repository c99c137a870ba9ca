"""silero-vad's 16 kHz network, evaluated as matrix products over many frames at once.

The same weights and the same arithmetic as the model that the `silero-vad` distribution carries for ONNX Runtime, about
twice as fast on a CPU: convolutions over four positions are too small for a runtime's convolution kernels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kaiku.audio.onnx_weights import read_weights

LIBRARIES = ("silero-vad", "numpy")
FRAME = 512  # samples of one frame at 16 kHz: 32 ms
CONTEXT = 64  # samples of the frame before that the network also sees
WIDTH = 128  # of the recurrent state
_WINDOW, _HOP, _POSITIONS, _BINS = 256, 128, 4, 129


@dataclass(frozen=True)
class State:
    """What the network remembers of the frames before: hidden and cell, float32 [128] each."""

    hidden: np.ndarray
    cell: np.ndarray


START = State(np.zeros(WIDTH, np.float32), np.zeros(WIDTH, np.float32))


class Network:
    """The network of a `silero_vad_16k_sequence.onnx` file."""

    def __init__(self, weights: Path):
        w = read_weights(weights)
        into, recurrent, bias = (w[name][0] for name in sorted(w) if "LSTM" in name)
        self._stft = np.ascontiguousarray(w["stft.forward_basis_buffer"][:, 0].T)  # [256, 258]
        self._conv1, self._bias1 = _taps(w["encoder.0.weight"]), w["encoder.0.bias"]  # [3 * 129, 128]
        self._conv2, self._bias2 = _taps(w["encoder.1.weight"]), w["encoder.1.bias"]  # [3 * 128, 64]
        # Of two positions, padded by one on either side, the first tap sees padding only.
        self._conv3, self._bias3 = _taps(w["encoder.2.weight"][:, :, 1:]), w["encoder.2.bias"]  # [2 * 64, 64]
        self._conv4, self._bias4 = _taps(w["encoder.3.weight"][:, :, 1:2]), w["encoder.3.bias"]  # [64, 128]
        # ONNX has the gates in the order input, output, forget, cell. Here it is input, forget, output, cell, and
        # sigmoid(x) = (1 + tanh(x / 2)) / 2, so that one tanh does all four.
        order = np.concatenate([np.arange(128), np.arange(256, 384), np.arange(128, 256), np.arange(384, 512)])
        scale = np.where(np.arange(512) < 384, np.float32(0.5), np.float32(1))
        self._in = np.ascontiguousarray(into[order].T * scale)  # [128, 512]
        self._recurrent = np.ascontiguousarray(recurrent[order].T * scale)  # [128, 512]
        self._gate_bias = (bias[:512] + bias[512:])[order] * scale
        self._out, self._out_bias = w["output.weight"][0, :, 0], w["output.bias"][0]

    def __call__(self, frames: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """float32 [n, CONTEXT + FRAME] -> probabilities of speech float32 [n], and the state after them."""
        gates = self._encode(frames) @ self._in + self._gate_bias  # [n, 512]
        hidden, state = self._remember(gates, state)
        logits = np.maximum(hidden, 0) @ self._out + self._out_bias
        return 1 / (1 + np.exp(-logits)), state

    def _encode(self, frames: np.ndarray) -> np.ndarray:
        """float32 [n, CONTEXT + FRAME] -> features [n, 128]."""
        n = len(frames)
        mirrored = np.concatenate([frames, frames[:, -2 : -2 - CONTEXT : -1]], axis=1)  # [n, 640]
        windows = np.lib.stride_tricks.sliding_window_view(mirrored, _WINDOW, axis=1)[:, ::_HOP]  # [n, 4, 256]
        spectrum = windows.reshape(n * _POSITIONS, _WINDOW) @ self._stft
        np.square(spectrum, out=spectrum)
        power = spectrum[:, :_BINS] + spectrum[:, _BINS:]
        padded = np.zeros((n, _POSITIONS + 2, _BINS), np.float32)
        padded[:, 1:-1] = np.sqrt(power, out=power).reshape(n, _POSITIONS, _BINS)
        x = _relu(_windows(padded, _POSITIONS, step=1) @ self._conv1 + self._bias1)  # [4n, 128]
        padded = np.zeros((n, _POSITIONS + 1, WIDTH), np.float32)
        padded[:, 1:] = x.reshape(n, _POSITIONS, WIDTH)
        x = _windows(padded, 2, step=2)  # [2n, 3 * 128]
        x = _relu(x @ self._conv2 + self._bias2)  # [2n, 64]
        x = _relu(x.reshape(n, -1) @ self._conv3 + self._bias3)  # [n, 64]
        return _relu(x @ self._conv4 + self._bias4)

    def _remember(self, gates: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """One LSTM layer over the frames: gate inputs [n, 512] -> hidden states [n, 128]."""
        hidden = np.empty((len(gates), WIDTH), np.float32)
        h, c = state.hidden, state.cell.copy()
        z, open_cell = np.empty(4 * WIDTH, np.float32), np.empty(WIDTH, np.float32)
        sigmoids, admit, forget, output, candidate = z[:384], z[:128], z[128:256], z[256:384], z[384:]
        half = np.float32(0.5)
        for gate, out in zip(gates, hidden):
            np.dot(h, self._recurrent, out=z)
            z += gate
            np.tanh(z, out=z)
            sigmoids *= half
            sigmoids += half
            c *= forget
            candidate *= admit
            c += candidate
            np.tanh(c, out=open_cell)
            np.multiply(output, open_cell, out=out)
            h = out
        return hidden, State(h.copy(), c)


def _windows(padded: np.ndarray, count: int, step: int) -> np.ndarray:
    """Three positions in a row of [n, positions, width], `count` times a frame: [n * count, 3 * width]."""
    n, _, width = padded.shape
    frame, position, item = padded.strides
    view = np.lib.stride_tricks.as_strided(padded, (n, count, 3 * width), (frame, step * position, item))
    return view.reshape(n * count, 3 * width)


def _taps(weight: np.ndarray) -> np.ndarray:
    """A convolution's weight [out, in, taps] as a matrix [taps * in, out]."""
    return np.ascontiguousarray(weight.transpose(2, 1, 0).reshape(-1, weight.shape[0]))


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0, out=x)
