"""The page in a real browser: keys are pressed, and the decisions must be in the file."""

import re
import threading

import pytest
import review_world
from browser import CHROMIUM, DRIVER, WHY_NOT, Browser
from review_world import CORPUS, DATASET, SHARD, decided

from kaiku.review import export, files, page
from kaiku.review.index import Index
from kaiku.review.orders import Question
from kaiku.review.server import Review, Server

needs_browser = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=WHY_NOT)
SHOWN = "document.getElementById('name').textContent"
PICKED = "document.querySelector('.item[aria-selected=true] .said')?.textContent"


def text_of(id):
    return f"document.getElementById('{id}').textContent"


@pytest.fixture
def server(world):
    with Server(Review(Index(review_world.settings(), DATASET), "tester")) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def browser(tmp_path):
    (tmp_path / "browser").mkdir()
    with Browser(tmp_path / "browser") as browser:
        yield browser


def begin(browser, url, order="corpus"):
    """Open the page, and have its clips in a known order."""
    browser.open(url)
    browser.until(SHOWN, "a clip is shown")
    if order:
        browser.run(
            f"const s = document.getElementById('order'); s.value = '{order}'; s.dispatchEvent(new Event('change'))"
        )
        browser.until(f"{SHOWN} === 'c0-fi'")


def at(browser, clip):
    browser.until(f"{SHOWN} === '{clip}'", f"{clip} is shown")


@needs_browser
def test_keys_decide_and_the_file_holds_it(server, browser):
    begin(browser, server.url)
    browser.press("k")
    at(browser, "c1-te")
    browser.press("r")
    at(browser, "c2-hi")
    browser.press("l", "l")
    at(browser, "c4-long")
    browser.press("j")
    at(browser, "c3-loud")
    browser.press("right", "left", "n")
    browser.until("document.activeElement.id === 'note'")
    browser.type("too loud")
    browser.press("enter", "r")
    at(browser, "c4-long")
    assert [line[:2] for line in decided()] == [("c0-fi", "keep"), ("c1-te", "reject"), ("c3-loud", "reject")]
    assert {d.note for d in files.read(files.path_of(CORPUS, SHARD))} == {"", "too loud"}
    assert browser.complaints() == []


@needs_browser
def test_keys_that_come_faster_than_clips_go_to_the_clip_they_are_meant_for(server, browser):
    begin(browser, server.url)
    browser.run("""for (const key of 'klrkjr') {
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    }""")
    browser.until("inHand === 0", "all is done")
    at(browser, "c4-long")
    assert [line[:2] for line in decided()] == [
        ("c0-fi", "keep"),
        ("c2-hi", "reject"),
        ("c3-loud", "keep"),
        ("c3-loud", "reject"),
    ]


@needs_browser
def test_a_text_is_corrected_and_a_decision_undone(server, browser):
    begin(browser, server.url)
    browser.press("l")
    at(browser, "c1-te")
    browser.press("e")
    browser.until("document.activeElement.id === 'draft'")
    assert browser.run("return document.activeElement.value") == review_world.TEXTS["c1-te"]
    browser.type(" కొత్త krjl/?")
    browser.press("enter")
    browser.until("document.querySelectorAll('#history li').length === 1")
    corrected = review_world.TEXTS["c1-te"] + " కొత్త krjl/?"
    assert decided() == [("c1-te", "text", corrected)], "letters typed are letters, not commands"
    assert browser.run(f"return {text_of('spoken')}") == corrected and browser.run(f"return {SHOWN}") == "c1-te"
    assert "before the correction" in browser.run(f"return {text_of('others')}")
    browser.press("k")
    at(browser, "c2-hi")
    assert decided()[-1] == ("c1-te", "keep", corrected)
    browser.press("u")
    at(browser, "c1-te")
    browser.until("document.querySelectorAll('#history li').length === 3")
    assert decided()[-1] == ("c1-te", "text", corrected)
    browser.press("u")
    browser.until("document.querySelectorAll('#history li').length === 4")
    assert decided()[-1][1] == "none"
    browser.press("e")
    browser.until("document.activeElement.id === 'draft'")
    browser.type("not this")
    browser.press("escape", "u")
    browser.until(f"{text_of('toast')}.includes('Nothing was decided')")
    assert len(decided()) == 4 and browser.complaints() == []


@needs_browser
def test_a_key_for_a_clip_that_is_gone_decides_about_no_other(server, browser, world):
    begin(browser, server.url)
    for suffix in ("wav", "lab"):
        (world / f"raw/c1-te.{suffix}").unlink()
    review_world.run(review_world.settings())
    browser.press("k")
    browser.until(f"{text_of('empty')}.includes('could not be opened')")
    browser.press("r", "e", "k")
    browser.press("l")
    at(browser, "c2-hi")
    assert decided() == [("c0-fi", "keep", "")]
    assert "you:" not in browser.run("return document.getElementById('line-1').textContent")
    browser.press("r")
    at(browser, "c3-loud")
    assert decided()[1:] == [("c2-hi", "reject", "")]


@needs_browser
def test_a_tab_that_is_behind_keeps_the_correction_of_another(server, browser):
    begin(browser, server.url)
    server.review.index.decide(CORPUS, "c0-fi", "text", "mended elsewhere")
    browser.press("k")
    at(browser, "c1-te")
    assert decided() == [("c0-fi", "text", "mended elsewhere"), ("c0-fi", "keep", "mended elsewhere")]
    browser.press("u")
    at(browser, "c0-fi")
    assert decided()[2:] == [("c0-fi", "text", "mended elsewhere")], "what stood before, not what this tab knew"


@needs_browser
def test_listening_finding_and_help(server, browser):
    begin(browser, server.url)
    browser.run("document.getElementById('auto').checked = false")
    browser.press("l", "l", "l", "l")
    at(browser, "c4-long")
    browser.until("document.getElementById('audio').readyState >= 3 && document.getElementById('audio').paused")
    browser.press(" ")
    browser.until("document.getElementById('audio').currentTime > 0.1", "it plays")
    browser.press(" ")
    browser.until("document.getElementById('audio').paused")
    painted = """const c = document.getElementById('wave');
        const pixels = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        return pixels.some((value) => value > 0)"""
    assert browser.run(painted), "the waveform is drawn"
    browser.press("?")
    browser.until("document.getElementById('help').open")
    browser.press("k", "escape")
    browser.until("!document.getElementById('help').open")
    assert decided() == []
    browser.press("/")
    browser.type("నమస్కారం")
    browser.until("document.querySelectorAll('.item').length === 1")
    assert browser.run(f"return {PICKED}") == review_world.TEXTS["c1-te"]
    browser.press("enter", "k")
    browser.until("document.querySelectorAll('#history li').length === 1")
    assert decided() == [("c1-te", "keep", "")]
    assert browser.complaints() == []


@needs_browser
def test_what_was_given_stands_against_what_was_heard(server, browser):
    begin(browser, server.url)
    found = "Array.from(document.querySelectorAll('#others mark')).map((m) => m.textContent).join()"
    assert browser.run(f"return {found}") == "pellon"
    assert browser.run("return document.querySelector('#others del').textContent") == "kellon"
    browser.press("l", "l", "l")
    at(browser, "c3-loud")
    assert browser.run(f"return {text_of('fate')}") == "dropped"
    assert "above -3" in browser.run(f"return {text_of('words')}")
    assert browser.run("return document.querySelector('tr.out td').textContent") == "peak_db"


@needs_browser
def test_every_control_has_a_name_and_nothing_comes_from_elsewhere(server, browser):
    begin(browser, server.url)
    nameless = """const all = document.querySelectorAll('button, input, select, textarea, canvas, [role]');
        const named = (e) => e.getAttribute('aria-label') || e.title || e.textContent.trim() || e.labels?.length;
        const shown = Array.from(all).filter((e) => e.getClientRects().length);
        return shown.filter((e) => !named(e) && !['status', 'alert'].includes(e.role)).map((e) => e.outerHTML)"""
    assert browser.run(nameless) == []
    loaded = browser.run("return performance.getEntriesByType('resource').map((e) => new URL(e.name).origin)")
    assert set(loaded) == {f"http://127.0.0.1:{server.server_port}"}
    smuggled = """const script = document.createElement('script');
        script.textContent = 'window.smuggled = true';
        document.body.append(script);
        return window.smuggled || false"""
    assert browser.run(smuggled) is False, "the page's policy holds"


@needs_browser
def test_a_text_is_text_whatever_it_looks_like(world, browser, tmp_path):
    (world / "raw/c0-fi.lab").write_text("<img src=x onerror=alert(1)> </script>\n")
    review_world.run(review_world.settings())
    path, _ = export.export(Index(review_world.settings(), DATASET), Question("corpus"), 6, tmp_path, "tester")
    browser.open(path.as_uri())
    browser.until(f"{text_of('spoken')}.includes('onerror')")
    assert browser.run("return document.images.length") == 0 and browser.complaints() == []


@needs_browser
def test_an_export_is_reviewed_elsewhere_and_merged_back(world, browser, tmp_path):
    settings = review_world.settings()
    path, clips = export.export(Index(settings, DATASET), Question("corpus"), 4, tmp_path / "out", "travelling")
    assert clips == 4 and not re.search(r"""(src|href)=["']?https?:""", path.read_text())
    browser.open(path.as_uri())
    browser.until(f"{SHOWN} === 'c0-fi'")
    browser.until("document.getElementById('audio').readyState >= 2", "the embedded clip can be played")
    browser.press("k")
    at(browser, "c1-te")
    browser.press("e")
    browser.until("document.activeElement.id === 'draft'")
    browser.type(" \\t lisää")
    browser.press("enter")
    browser.until("document.querySelectorAll('#history li').length === 1")
    browser.press("l", "r")
    at(browser, "c3-loud")
    browser.press("u")
    at(browser, "c2-hi")
    browser.open(path.as_uri())
    browser.until(
        f"{SHOWN} === 'c0-fi' && document.querySelectorAll('#history li').length === 1", "it stays in the browser"
    )
    browser.run("document.getElementById('download').click()")
    downloaded = browser_folder(tmp_path) / f"decisions-{DATASET}.tsv"
    browser.until(f"{text_of('toast')}.includes('4 decisions')")
    for _ in range(200):
        if downloaded.exists():
            break
        browser.run("return 1")
    assert export.merge([CORPUS], downloaded) == export.Imported(4, 0, [])
    assert export.merge([CORPUS], downloaded) == export.Imported(0, 4, [])
    assert decided() == [
        ("c0-fi", "keep", ""),
        ("c1-te", "text", review_world.TEXTS["c1-te"] + " \\t lisää"),
        ("c2-hi", "reject", ""),
        ("c2-hi", "none", ""),
    ]
    assert {d.reviewer for d in files.read(files.path_of(CORPUS, SHARD))} == {"travelling"}
    assert browser.complaints() == []


@needs_browser
def test_an_export_in_two_tabs_loses_no_decision(world, browser, tmp_path):
    path, _ = export.export(Index(review_world.settings(), DATASET), Question("corpus"), 4, tmp_path, "away")
    browser.open(path.as_uri())
    browser.until(f"{SHOWN} === 'c0-fi'")
    first = browser.new_tab()
    browser.open(path.as_uri())
    browser.until(f"{SHOWN} === 'c0-fi'")
    browser.press("r")
    at(browser, "c1-te")
    browser.press("k")
    at(browser, "c2-hi")
    browser.turn_to(first)
    browser.press("k")
    at(browser, "c1-te")
    browser.press("e")
    browser.until("document.activeElement.id === 'draft'")
    browser.type(" lisää")
    browser.press("enter")
    browser.until("document.querySelectorAll('#history li').length === 2", "what the other tab decided is shown")
    lines = [line.split("\t") for line in browser.run("return source.download().text").splitlines()[1:]]
    corrected = review_world.TEXTS["c1-te"] + " lisää"
    assert [(line[2], *line[5:7]) for line in lines] == [
        ("c0-fi", "reject", ""),
        ("c0-fi", "keep", ""),
        ("c1-te", "keep", ""),
        ("c1-te", "keep", corrected),
    ]


@needs_browser
def test_a_browser_that_stores_nothing_says_so(world, browser, tmp_path):
    path, _ = export.export(Index(review_world.settings(), DATASET), Question("corpus"), 4, tmp_path, "away")
    browser.open(path.as_uri())
    browser.until(f"{SHOWN} === 'c0-fi'")
    assert "stay in this browser" in browser.run(f"return {text_of('saved')}")
    browser.run("Storage.prototype.setItem = () => { throw new Error('full'); }")
    browser.press("k")
    browser.until(f"{text_of('toast')}.includes('stores nothing')")
    browser.until(f"{text_of('saved')}.includes('stores nothing')")
    assert browser.run("return source.download().lines") == 1


def browser_folder(tmp_path):
    return tmp_path / "browser"


def test_data_cannot_break_out_of_the_page():
    text = page.compose({"token": "</script><script>alert(1)</script>"})
    assert "<script>alert" not in text and text.count("</script>") == 2
