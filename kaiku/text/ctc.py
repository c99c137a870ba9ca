"""Which frames of a CTC model's output say which letter of a known text: the most likely alignment, by Viterbi.

Graves et al. 2006: a path emits in each frame one token or a blank; repeated tokens are one, and blanks fall away. Of a
text of n tokens the path goes through 2 n + 1 states, blank, token, blank, ..., blank; it may skip a blank between two
tokens that differ.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

LIBRARIES = ("numpy",)


def fits(tokens: Sequence[int], frames: int) -> bool:
    """Whether so many frames can say the tokens: one each, and a blank between two that are the same."""
    return frames >= len(tokens) + sum(a == b for a, b in pairwise(tokens))


def align(log_probs: np.ndarray, tokens: Sequence[int], blank: int) -> np.ndarray:
    """The most likely path: int64 [frames], for each frame the place in `tokens` that it says, or -1 for a blank.

    log_probs: [frames, vocabulary], logarithms of probabilities. The text must fit (`fits`), and no token be the blank.
    """
    states = np.full(2 * len(tokens) + 1, blank)
    states[1::2] = tokens
    may_skip = np.zeros(len(states), bool)  # from two states before: over a blank, between tokens that differ
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    score = np.full(len(states), -np.inf)
    score[:2] = log_probs[0, states[:2]]
    steps = np.zeros((len(log_probs), len(states)), np.int8)  # states back in the frame before
    ways = np.full((3, len(states)), -np.inf)
    for frame in range(1, len(log_probs)):
        ways[0] = score
        ways[1, 1:] = score[:-1]
        ways[2, 2:] = np.where(may_skip[2:], score[:-2], -np.inf)
        steps[frame] = ways.argmax(axis=0)
        score = ways.max(axis=0) + log_probs[frame, states]
    state = len(states) - 1
    if len(states) > 1 and score[-2] > score[-1]:
        state -= 1
    path = np.empty(len(log_probs), np.int64)
    for frame in range(len(log_probs) - 1, -1, -1):
        path[frame] = state // 2 if state % 2 else -1
        state -= int(steps[frame, state])
    return path


def token_scores(log_probs: np.ndarray, tokens: Sequence[int], path: np.ndarray) -> np.ndarray:
    """For each token the mean log probability of the frames that say it: float64 [tokens]."""
    says = path >= 0
    places = path[says]
    values = log_probs[says, np.asarray(tokens, np.int64)[places]].astype(np.float64)
    return np.bincount(places, values, len(tokens)) / np.bincount(places, minlength=len(tokens))
