"""The page: every figure and reason on it, nothing from elsewhere, the same bytes twice."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from PIL import Image

from kaiku.report.licence import allows_commercial_use, licence_warnings
from kaiku.report.player import opus
from kaiku.report.report import duration, figure_text, render, share, unaccounted, write_report
from kaiku.report.spectrogram import levels, spectrogram_uri
from kaiku.synthesis import Sample

RATE = 16_000


def tone(hz, seconds, rate=RATE):
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def sample(split, text, ended=True):
    audio, reference = tone(440, 0.5), tone(660, 0.4)
    codes = np.zeros((5, 2), np.uint16)
    return Sample(f"{split}-1", split, text, "aino", codes, audio, reference, ended, 0.5, 0.4)


def tally(clips, seconds):
    return {"clips": clips, "seconds": seconds}


CORPUS = {
    "name": "aino",
    "language": "fi",
    "recordings": 104,
    "source_seconds": 300.0,
    "clips": tally(112, 252.0),
    "kept": tally(100, 240.0),
    "dropped": {"duration_s below 1": tally(6, 4.0), "snr_db below 20": tally(4, 6.0)},
    "failed": tally(2, 2.0),
}
FIGURES = {
    "loss_ratio": {"value": 0.5912, "unit": "of the unigram", "meaning": "m1", "target": "below 1", "levels": [0.4, 1]},
    "retrieval_val": {"value": 11, "unit": "of 12", "meaning": "m2", "target": "most"},
    "wer": {"value": None, "why": "not measured: no weights of a recogniser are there", "meaning": "m3", "target": ""},
}
DATA = {
    "title": "aino <lora>",
    "summary": "400 steps.",
    "lineage": {"Base": "toy-base"},
    "licences": [{"what": "base mini", "licence": "CC-BY-NC-SA-4.0"}, {"what": "corpus aino", "licence": "own"}],
    "corpora": [CORPUS],
    "codec": {"stoi": {"value": 0.7721, "unit": "of 1", "meaning": "intelligibility", "target": "0.72 or more"}},
    "plots": [
        {
            "title": "Loss",
            "x_label": "step",
            "y_label": "nats per code",
            "curves": [
                {"name": "training", "points": [[1, 4.0], [2, 3.0]]},
                {"name": "held out", "points": [[2, 3.5]]},
            ],
            "best": 2,
        }
    ],
    "metrics": {
        "figures": FIGURES,
        "samples": [{"id": "val-1", "rank": 1, "candidates": 40, "length_ratio": 1.25}],
    },
    "samples": [sample("train", "kissa istuu", ended=False), sample("val", "koira juoksee")],
    "sample_rate": RATE,
    "problems": [{"where": "raw/bad.wav", "what": "No audio frame", "remedy": "Remove it."}],
    "timings": [{"stage": "train_model", "seconds": 76.1, "computed": 1, "reused": 0, "failed": 0}],
}


class Page(HTMLParser):
    """What a page shows and refers to."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.references, self.texts, self.open = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        self.references += [value for name, value in attributes.items() if name in ("src", "href", "srcset", "data")]

    def handle_data(self, text):
        self.texts.append(" ".join(text.split()))

    @property
    def text(self):
        return " ".join(text for text in self.texts if text)


@pytest.fixture(scope="module")
def page():
    return Page(render(DATA))


def test_every_figure_reason_and_problem_is_there(page):
    for expected in [
        "aino <lora>",
        "400 steps.",
        "toy-base",
        "Not for commercial use: base mini is under CC-BY-NC-SA-4.0.",
        "0.591 of the unigram",
        "11 of 12",
        "not measured: no weights of a recogniser are there",
        "kept 100 4 min 00 s 95.2 %",
        "dropped: duration_s below 1 6 4.0 s 1.6 %",
        "dropped: snr_db below 20 4 6.0 s 2.4 %",
        "failed 2 2.0 s 0.8 %",
        "together 112 4 min 12 s 100 %",
        "104 recordings, 5 min 00 s, cut into 112 clips; 4 min 00 s kept, 80.0 % of the source.",
        "STOI 0.772 of 1 0.72 or more intelligibility",
        "raw/bad.wav No audio frame Remove it.",
        "train_model 1 min 16 s 1 0 0",
        "nearest of 40",
        "length × 1.25",
        "did not stop by itself",
    ]:
        assert expected in page.text, expected
    assert page.text.index("koira juoksee") < page.text.index("kissa istuu"), "held out comes first"


def test_nothing_comes_from_elsewhere(page):
    assert all(reference.startswith(("#", "data:")) for reference in page.references)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    html = render(DATA)
    assert "http://" not in html and "https://" not in html and "@import" not in html and "url(" not in html
    anchors = {value for _, attributes in page.tags if (value := attributes.get("id"))}
    assert {reference[1:] for reference in page.references if reference.startswith("#")} <= anchors


def test_pictures_sounds_and_tables_can_be_told_without_seeing(page):
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    players = [attributes for tag, attributes in page.tags if tag == "audio"]
    assert len(pictures) == len(players) == 4
    assert all(picture["alt"] for picture in pictures)
    assert {player["aria-label"] for player in players} == {
        "Generated: kissa istuu",
        "Original, through the codec: kissa istuu",
        "Generated: koira juoksee",
        "Original, through the codec: koira juoksee",
    }
    assert all(attributes.get("aria-label") for tag, attributes in page.tags if tag == "svg")


def test_players_hold_what_was_said(page):
    heard = next(a["src"] for tag, a in page.tags if tag == "audio")
    audio, rate = soundfile.read(io.BytesIO(base64.b64decode(heard.partition(",")[2])))
    assert rate == RATE
    assert len(audio) == RATE // 2
    assert np.argmax(np.abs(np.fft.rfft(audio))) / 0.5 == pytest.approx(440, abs=2)


def test_same_page_twice(tmp_path):
    for name in ("one", "two"):
        write_report(DATA, tmp_path / f"{name}.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_a_bare_page_says_what_is_absent():
    text = Page(render({"title": "bare"})).text
    assert "No corpus account was given." in text
    assert "No samples were made." in text
    assert "Not measured" in text
    assert "None: every file could be used." in text


def test_sums_that_do_not_balance_are_said_aloud():
    assert unaccounted(CORPUS) == 0
    lost = CORPUS | {"kept": tally(97, 230.0)}
    assert unaccounted(lost) == 3
    text = Page(render({"title": "t", "corpora": [lost]})).text
    assert "The sums do not balance: 3 clips are not accounted for." in text
    assert "do not balance" not in Page(render({"title": "t", "corpora": [CORPUS]})).text


def test_figures_in_words():
    assert [duration(s) for s in (0.04, 9.96, 59.4, 59.7, 249, 11_059)] == [
        "0.0 s", "10.0 s", "59.4 s", "1 min 00 s", "4 min 09 s", "3 h 04 min",
    ]  # fmt: skip
    assert [figure_text(v) for v in (0.59123, 12.0, 3, 123.4, -2.5, "x")] == ["0.591", "12", "3", "123", "-2.5", "x"]
    assert (share(1, 8), share(0, 0)) == ("12.5 %", "–")


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100])
def test_opus_is_the_same_bytes_and_the_same_length(rate):
    clip = tone(440, 1.0, rate)
    first, second = opus(clip, rate), opus(clip, rate)
    assert first == second
    audio, played_rate = soundfile.read(io.BytesIO(first))
    assert len(audio) / played_rate == pytest.approx(1.0, abs=1e-3)
    assert len(first) < 16_000


def test_loud_clips_are_turned_down_not_clipped():
    audio, _ = soundfile.read(io.BytesIO(opus(4 * tone(440, 0.5), RATE)))
    spectrum = np.abs(np.fft.rfft(audio))
    assert spectrum[200:230].max() > 100 * spectrum[640:680].max(), "no third harmonic"


def test_spectrogram_shows_the_tone_at_its_height():
    low, high = levels(tone(300, 0.5), RATE), levels(tone(5000, 0.5), RATE)
    assert low.shape[0] == 80 and low.min() >= 0 and low.max() == 1
    assert low.mean(axis=1).argmax() < 15 < 55 < high.mean(axis=1).argmax()
    uri = spectrogram_uri(tone(5000, 0.5), RATE)
    assert uri == spectrogram_uri(tone(5000, 0.5), RATE)
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("L"), float)
    assert image.shape[0] == 80
    assert image.mean(axis=1).argmax() < 25, "high tones stand at the top"
    assert levels(np.zeros(0, np.float32), RATE).shape == (80, 1)
    assert np.isfinite(levels(np.zeros(RATE, np.float32), RATE)).all()


def test_long_clips_stay_small_pictures():
    assert levels(tone(440, 20.0), RATE).shape[1] <= 601
    assert len(spectrogram_uri(tone(440, 20.0), RATE)) < 40_000


def test_licences():
    for name in ("CC-BY-NC-SA-4.0", "CC BY-NC 4.0", "CPML", "Coqui Public Model License", "research-only"):
        assert allows_commercial_use(name) is False, name
    for name in (
        "own",
        "CC0-1.0",
        "CC0",
        "CC-BY-4.0",
        "CC BY 4.0",
        "CC-BY-SA-3.0",
        "Apache-2.0",
        "MIT",
        "public domain",
    ):
        assert allows_commercial_use(name) is True, name
    for name in ("", "Fish Audio Research License", "unknown", "llama3"):
        assert allows_commercial_use(name) is None, name
    assert licence_warnings([("corpus a", "MIT"), ("base b", "")]) == [
        "Read the licence of base b before any commercial use: none is given."
    ]


def test_page_text_is_escaped():
    html = render(DATA | {"title": "<script>alert(1)</script>"})
    assert "<script>" not in html
    assert re.search("&lt;script&gt;", html)
