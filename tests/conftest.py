"""Where helpers that test files share are found, and which tests stay together where several processes run them."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LONGEST = ("workflow", "acceptance", "store")
"""Folders whose tests take minutes: begun first, so that no worker is left alone with them at the end."""

sys.path[:0] = [str(HERE / folder) for folder in ("audio", "selection", "store", "train", "workflow")]


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs all tests of a file, whose fixtures they share, and one all that look at the toy's whole run."""
    items.sort(key=_rank)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    return "toy" if "toy" in item.fixturenames else str(item.path.relative_to(HERE))


def _rank(item: pytest.Item) -> tuple[bool, int]:
    folder = item.path.relative_to(HERE).parts[0]
    return _group(item) != "toy", LONGEST.index(folder) if folder in LONGEST else len(LONGEST)
