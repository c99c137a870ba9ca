"""The post-net of the env codec: a small causal network that mends the decoded spectrum; codebooks stay as they are."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from kaiku.codecs.env.quantiser import Quantiser, imdct, mel_bands

LIBRARIES = ("torch",)

BLOCKS = 3
KERNEL = 5
CONTEXT = BLOCKS * (KERNEL - 1)  # frames of the past that one output frame depends on
FILL = 0.05  # size of what is added to the spectrum, beside what is scaled

BATCH = 8
PEAK_RATE = 4e-3
SNR_WEIGHT = 0.03  # per dB: enough to keep phase, too little to blur
MEL_SCALES = ((256, 20), (1024, 80))  # FFT size, bands
MAGNITUDE_FLOOR = 1e-4


class PostNet(nn.Module):
    """Scales and fills the spectrum of each frame by what this frame and the `CONTEXT` before it hold."""

    def __init__(self, hop: int, codebook_size: int, width: int):
        super().__init__()
        self.envelope = nn.Embedding(codebook_size, width)
        self.spectrum = nn.Linear(hop, width)
        self.blocks = nn.ModuleList(CausalBlock(width) for _ in range(BLOCKS))
        self.norm = nn.LayerNorm(width)
        self.gates = nn.Linear(width, 2 * hop)
        nn.init.zeros_(self.gates.weight)  # an untrained post-net changes nothing
        nn.init.zeros_(self.gates.bias)

    def forward(self, envelope_codes: torch.Tensor, spectrum: torch.Tensor) -> torch.Tensor:
        """Codes [B, T] of level 0 and the spectrum [B, T, hop] of all levels -> spectrum [B, T, hop]."""
        x = self.envelope(envelope_codes) + self.spectrum(spectrum.sign() * spectrum.abs().log1p())  # [B, T, width]
        for block in self.blocks:
            x = block(x)
        scale, fill = self.gates(self.norm(x)).chunk(2, dim=-1)
        return spectrum * (1 + scale) + FILL * fill


class CausalBlock(nn.Module):
    """A ConvNeXt block (Liu et al., 2022) that sees no future frame."""

    def __init__(self, width: int):
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, KERNEL, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, T, width] -> [B, T, width]."""
        y = self.depthwise(F.pad(x.transpose(1, 2), (KERNEL - 1, 0))).transpose(1, 2)
        return x + self.narrow(F.gelu(self.widen(self.norm(y))))


def new_postnet(hop: int, codebook_size: int, width: int, seed: int) -> PostNet:
    """A post-net with seeded weights; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PostNet(hop, codebook_size, width).eval()


def train_postnet(
    net: PostNet, quantiser: Quantiser, wav: np.ndarray, *, steps: int, seed: int, progress: Callable
) -> None:
    """Fit the post-net to one long piece of audio by mel distance and SNR; on one thread, so that cores move no bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _optimise(net, quantiser, wav, steps, np.random.Generator(np.random.PCG64(seed)), progress)
    finally:
        torch.set_num_threads(threads)
        net.eval()


def _optimise(net, quantiser, wav, steps, rng, progress) -> None:
    hop = quantiser.hop
    codes = quantiser.encode(wav)  # [T, levels]
    target = torch.from_numpy(lagged(wav, hop))  # [T, hop]
    seconds = -(-quantiser.sample_rate // hop)
    length = min(1 + seconds, len(codes))  # frames of an excerpt: the first one only completes the second
    inverse = torch.from_numpy(imdct(np.eye(hop)).astype(np.float32))  # [hop, 2 * hop]
    mels = [MelDistance(quantiser.sample_rate, size, bands) for size, bands in MEL_SCALES]
    optimiser = torch.optim.AdamW(net.parameters(), lr=PEAK_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
    net.train()
    for _ in progress(range(steps), total=steps, label="post-net", unit="step"):
        starts = rng.integers(len(codes) - length + 1, size=BATCH)
        rows = starts[:, None] + np.arange(length)  # [B, T]
        flat = torch.from_numpy(quantiser.spectrum(codes[rows.reshape(-1)])).view(BATCH, length, hop)
        mended = net(torch.from_numpy(codes[rows, 0].astype(np.int64)), flat)
        audio = overlap_add(mended @ inverse)[:, hop:]  # [B, samples]
        wanted = target[torch.from_numpy(rows)].flatten(1)[:, hop:]
        loss = sum(mel(audio, wanted) for mel in mels) - SNR_WEIGHT * _snr_db(audio, wanted).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()


def lagged(wav: np.ndarray, hop: int) -> np.ndarray:
    """The audio as decoding gives it back, one hop late, float32 `[T, hop]`."""
    frames = -(-len(wav) // hop)
    late = np.zeros((frames + 1) * hop, np.float32)
    late[hop : hop + len(wav)] = wav
    return late[: frames * hop].reshape(frames, hop)


def overlap_add(windows: torch.Tensor) -> torch.Tensor:
    """Windows [B, T, 2 * hop] -> audio [B, T * hop]: each first half plus the second half of the window before."""
    first, second = windows.chunk(2, dim=-1)
    return (first + F.pad(second, (0, 0, 1, 0))[:, :-1]).flatten(1)


class MelDistance:
    """Mean |log10| difference of mel-band magnitudes between two signals [B, samples]."""

    def __init__(self, sample_rate: int, size: int, bands: int):
        self.size, self.window = size, torch.hann_window(size)
        self.bands = torch.from_numpy(mel_bands(np.fft.rfftfreq(size, 1 / sample_rate), bands).astype(np.float32))

    def __call__(self, audio: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        return F.l1_loss(self._log_mel(audio), self._log_mel(wanted))

    def _log_mel(self, audio: torch.Tensor) -> torch.Tensor:
        frames = F.pad(audio, (0, self.size)).unfold(1, self.size, self.size // 4)  # [B, frames, size]
        power = torch.view_as_real(torch.fft.rfft(frames * self.window)).square().sum(-1)
        magnitude = (power + 1e-12).sqrt()  # the root's slope is infinite at zero
        return (magnitude @ self.bands).clamp(min=MAGNITUDE_FLOOR).log10()


def _snr_db(audio: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """SNR of each signal of a batch in dB; silence counts as signal and noise of 1e-4 of full scale."""
    silence = 1e-8 * wanted.shape[1]
    return 10 * torch.log10((wanted.square().sum(1) + silence) / ((audio - wanted).square().sum(1) + silence))
