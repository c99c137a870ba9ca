"""silero-vad's 16 kHz network, evaluated as matrix products over many frames at once.

The same weights and the same arithmetic as the model that the `silero-vad` distribution carries for ONNX Runtime, about
twice as fast on a CPU: convolutions over four positions are too small for a runtime's convolution kernels.
"""

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kaiku.audio.onnx_weights import read_weights
from kaiku.errors import CorruptFile

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
        self._cosines, self._sines = fold(w["stft.forward_basis_buffer"][:, 0].T)  # [128, 129], [127, 129]
        self._conv1, self._bias1 = _taps(w["encoder.0.weight"]), w["encoder.0.bias"]  # [3 * 129, 128]
        self._conv2, self._bias2 = _taps(w["encoder.1.weight"]), w["encoder.1.bias"]  # [3 * 128, 64]
        # Of two positions, padded by one on either side, the first tap sees padding only.
        self._conv3, self._bias3 = _taps(w["encoder.2.weight"][:, :, 1:]), w["encoder.2.bias"]  # [2 * 64, 64]
        self._conv4, self._bias4 = _taps(w["encoder.3.weight"][:, :, 1:2]), w["encoder.3.bias"]  # [64, 128]
        # ONNX has the gates in the order input, output, forget, cell. Here it is output, input, forget, cell, and
        # sigmoid(x) = (1 + tanh(x / 2)) / 2, so that one tanh does all four.
        order = np.concatenate([np.arange(128, 256), np.arange(128), np.arange(256, 384), np.arange(384, 512)])
        scale = np.where(np.arange(512) < 384, np.float32(0.5), np.float32(1))
        self._in = np.ascontiguousarray(into[order].T * scale)  # [128, 512]
        self._recurrent = np.ascontiguousarray(recurrent[order].T * scale)  # [128, 512]
        self._gate_bias = (bias[:512] + bias[512:])[order] * scale
        self._out, self._out_bias = w["output.weight"][0, :, 0], w["output.bias"][0]
        self._rooms = threading.local()

    def __call__(self, frames: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """float32 [n, CONTEXT + FRAME] -> probabilities of speech float32 [n], and the state after them."""
        gates = np.matmul(self._encode(frames), self._in, out=self._room(len(frames)).gates)  # [n, 512]
        gates += self._gate_bias
        hidden, state = self._remember(gates, state)
        logits = np.maximum(hidden, 0) @ self._out + self._out_bias
        return 1 / (1 + np.exp(-logits)), state

    def _encode(self, frames: np.ndarray) -> np.ndarray:
        """float32 [n, CONTEXT + FRAME] -> features [n, 128], valid until the next call."""
        n = len(frames)
        room = self._room(n)
        room.mirrored[:, : CONTEXT + FRAME] = frames
        room.mirrored[:, CONTEXT + FRAME :] = frames[:, -2 : -2 - CONTEXT : -1]
        earlier, later = room.of_mirrored[:, :, 1:_HOP], room.of_mirrored[:, :, :_HOP:-1]
        np.add(earlier, later, out=room.even[:, :, :-1])
        np.copyto(room.even[:, :, -1], room.of_mirrored[:, :, _HOP])
        np.subtract(earlier, later, out=room.odd)
        real = np.matmul(room.even.reshape(-1, _HOP), self._cosines, out=room.real)
        imaginary = np.matmul(room.odd.reshape(-1, _HOP - 1), self._sines, out=room.imaginary)
        np.square(real, out=real)
        np.square(imaginary, out=imaginary)
        shape = (n, _POSITIONS, _BINS)
        power = np.add(real.reshape(shape), imaginary.reshape(shape), out=room.padded1[:, 1:-1])
        np.sqrt(power, out=power)
        np.copyto(room.taps1, room.of_padded1)
        x = np.matmul(room.taps1.reshape(n * _POSITIONS, -1), self._conv1, out=room.features1)
        x += self._bias1
        np.maximum(x.reshape(n, _POSITIONS, WIDTH), 0, out=room.padded2[:, 1:])
        np.copyto(room.taps2, room.of_padded2)
        x = _relu(np.matmul(room.taps2.reshape(2 * n, -1), self._conv2, out=room.features2), self._bias2)
        x = _relu(np.matmul(x.reshape(n, -1), self._conv3, out=room.features3), self._bias3)
        return _relu(np.matmul(x, self._conv4, out=room.features4), self._bias4)

    def _room(self, n: int) -> "_Room":
        """This thread's room for n frames; nearly all calls have the same n."""
        room = getattr(self._rooms, "latest", None)
        if room is None or len(room.mirrored) != n:
            room = self._rooms.latest = _Room(n)
        return room

    def _remember(self, gates: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """One LSTM layer over the frames: gate inputs [n, 512] -> hidden states [n, 128]."""
        hidden = np.empty((len(gates), WIDTH), np.float32)
        # Side by side: gates of output, input and forgetting, candidate, cell; so that one product does two of them.
        row = np.empty(5 * WIDTH, np.float32)
        z, sigmoids, output, c = row[:512], row[:384], row[:128], row[512:]
        weights, weighted = row[128:384], row[384:]
        products, open_cell = np.empty(2 * WIDTH, np.float32), np.empty(WIDTH, np.float32)
        half = np.full(3 * WIDTH, 0.5, np.float32)  # converting a scalar takes numpy as long as multiplying by it
        admitted, kept = products[:WIDTH], products[WIDTH:]
        dot, add, multiply, tanh = np.dot, np.add, np.multiply, np.tanh  # looked up once: ten calls a frame count
        h = state.hidden
        c[:] = state.cell
        for gate, out in zip(gates, hidden):
            dot(h, self._recurrent, z)
            add(z, gate, z)
            tanh(z, z)
            multiply(sigmoids, half, sigmoids)
            add(sigmoids, half, sigmoids)
            multiply(weights, weighted, products)
            add(admitted, kept, c)
            tanh(c, open_cell)
            multiply(output, open_cell, out)
            h = out
        return hidden, State(h.copy(), c.copy())


class _Room:
    """Where n frames are worked on. Fresh memory for every product took as long as the products: it comes in pages of
    zeros from the system. What pads the convolutions stays zero."""

    def __init__(self, n: int):
        def room(*shape: int) -> np.ndarray:
            return np.zeros(shape, np.float32)

        self.mirrored = room(n, CONTEXT + FRAME + CONTEXT)
        self.even, self.odd = room(n, _POSITIONS, _HOP), room(n, _POSITIONS, _HOP - 1)
        self.real, self.imaginary = room(n * _POSITIONS, _BINS), room(n * _POSITIONS, _BINS)
        self.padded1, self.taps1 = room(n, _POSITIONS + 2, _BINS), room(n, _POSITIONS, 3 * _BINS)
        self.features1 = room(n * _POSITIONS, WIDTH)
        self.padded2, self.taps2 = room(n, _POSITIONS + 1, WIDTH), room(n, 2, 3 * WIDTH)
        self.features2, self.features3, self.features4 = room(2 * n, 64), room(n, 64), room(n, WIDTH)
        self.gates = room(n, 4 * WIDTH)
        self.of_mirrored = _windows(self.mirrored, _POSITIONS, _WINDOW, _HOP)
        self.of_padded1 = _windows(self.padded1, _POSITIONS, 3 * _BINS, _BINS)
        self.of_padded2 = _windows(self.padded2, 2, 3 * WIDTH, 2 * WIDTH)


def _windows(source: np.ndarray, count: int, width: int, hop: int) -> np.ndarray:
    """A view of each frame's values: `count` windows of `width` in a row, `hop` apart: [n, count, width]."""
    item = source.itemsize
    return np.lib.stride_tricks.as_strided(source, (len(source), count, width), (source.strides[0], hop * item, item))


def fold(basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A windowed Fourier basis [256, 258] -> cosines [128, 129] and sines [127, 129] for x[n] +- x[256 - n], n > 0.

    Cosines are even around the middle and sines odd, so that half the products do; the periodic window begins with 0.
    """
    first, later = basis[1:_HOP], basis[:_HOP:-1]
    mirror = np.repeat(np.float32([1, -1]), _BINS)
    if basis[0].any() or not np.array_equal(first, later * mirror):
        raise CorruptFile(
            "the Fourier basis of the speech detector is not symmetric", expected="silero-vad's for 16 kHz"
        )
    return np.ascontiguousarray(basis[1 : _HOP + 1, :_BINS]), np.ascontiguousarray(first[:, _BINS:])


def _taps(weight: np.ndarray) -> np.ndarray:
    """A convolution's weight [out, in, taps] as a matrix [taps * in, out]."""
    return np.ascontiguousarray(weight.transpose(2, 1, 0).reshape(-1, weight.shape[0]))


def _relu(x: np.ndarray, bias: np.ndarray) -> np.ndarray:
    x += bias
    return np.maximum(x, 0, out=x)
