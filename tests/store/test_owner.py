import queue
import threading

import pytest

from kaiku.store import owner as owner_module
from kaiku.store.owner import Superseded, owning


def test_an_owner_that_nobody_followed_may_publish(tmp_path):
    with owning(tmp_path / "deep" / "carry") as owner:
        owner.check()
    with owning(tmp_path / "deep" / "carry") as second:
        second.check()
        with pytest.raises(Superseded, match=r"a newer process took over this work\. Nothing is lost"):
            owner.check()


def test_the_folder_is_free_again_after_an_error(tmp_path):
    with pytest.raises(RuntimeError), owning(tmp_path):
        raise RuntimeError
    with owning(tmp_path) as owner:
        owner.check()


def test_a_successor_waits_and_of_several_the_last_wins(tmp_path, monkeypatch):
    said, threads, waiting = [], [], queue.Queue()
    monkeypatch.setattr(owner_module, "log", waiting.put)

    def successor(name):
        try:
            with owning(tmp_path) as owner:
                owner.check()
                said.append((name, "owns"))
        except Superseded:
            said.append((name, "superseded"))

    with owning(tmp_path) as first:
        for name in ("second", "third"):
            threads.append(threading.Thread(target=successor, args=(name,)))
            threads[-1].start()
            assert waiting.get(timeout=30) == f"waiting for another process that still works in {tmp_path}"
        assert said == []
        with pytest.raises(Superseded):
            first.check()
    for thread in threads:
        thread.join(30)
    assert sorted(said) == [("second", "superseded"), ("third", "owns")]
