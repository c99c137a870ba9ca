from itertools import groupby, product

import numpy as np
import pytest

from kaiku.text import ctc

BLANK = 0


def random_log_probs(frames, vocabulary, seed=0):
    logits = np.random.default_rng(seed).standard_normal((frames, vocabulary)) * 2
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def collapsed(symbols):
    return [symbol for symbol, _ in groupby(symbols) if symbol != BLANK]


def symbols_of(path, tokens):
    return [BLANK if place < 0 else tokens[place] for place in path]


def score(log_probs, symbols):
    return sum(log_probs[frame, symbol] for frame, symbol in enumerate(symbols))


@pytest.mark.parametrize("seed", range(30))
def test_it_is_the_best_of_all_paths(seed):
    rng = np.random.default_rng(seed)
    frames, tokens = int(rng.integers(1, 7)), rng.integers(1, 3, size=int(rng.integers(0, 4))).tolist()
    if not ctc.fits(tokens, frames):
        assert not any(collapsed(symbols) == tokens for symbols in product(range(3), repeat=frames))
        return
    log_probs = random_log_probs(frames, 3, seed)
    every = [symbols for symbols in product(range(3), repeat=frames) if collapsed(symbols) == tokens]
    found = symbols_of(ctc.align(log_probs, tokens, BLANK), tokens)
    assert collapsed(found) == tokens
    assert score(log_probs, found) == pytest.approx(max(score(log_probs, symbols) for symbols in every))


@pytest.mark.parametrize("frames, length", [(400, 60), (1500, 300), (60, 40)])
def test_paths_collapse_to_their_text(frames, length):
    tokens = np.random.default_rng(length).integers(1, 30, size=length).tolist()
    path = ctc.align(random_log_probs(frames, 30), tokens, BLANK)
    assert collapsed(symbols_of(path, tokens)) == tokens
    assert sorted(set(path[path >= 0])) == list(range(length)) and (np.diff(path[path >= 0]) >= 0).all()


def test_a_known_alignment_is_found_and_scored():
    tokens, path = [3, 3, 5], np.array([-1, 0, 0, -1, 1, -1, -1, 2, 2, 2])
    log_probs = np.full((10, 6), np.log(0.02))
    for frame, place in enumerate(path):
        log_probs[frame, BLANK if place < 0 else tokens[place]] = np.log(0.9)
    log_probs[4, 3] = np.log(0.5)
    assert ctc.align(log_probs, tokens, BLANK).tolist() == path.tolist()
    assert ctc.token_scores(log_probs, tokens, path) == pytest.approx(np.log([0.9, 0.5, 0.9]))


def test_what_fits():
    assert ctc.fits([1, 2, 3], 3) and not ctc.fits([1, 2, 3], 2)
    assert ctc.fits([1, 1], 3) and not ctc.fits([1, 1], 2)
    assert ctc.fits([], 0)


def test_no_text_is_all_blank():
    assert ctc.align(random_log_probs(4, 3), [], BLANK).tolist() == [-1] * 4
