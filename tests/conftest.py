"""Where helpers that test files share are found, and which tests stay together where several processes run them."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LONGEST = ("workflow", "acceptance", "store")
"""Folders whose tests take minutes: begun first, so that no process is left alone with them at the end."""
OF_THE_TOY = ("tests/workflow/test_plan_toy.py", "tests/workflow/test_toy.py")
"""Files that look at one whole run of the toy."""

sys.path[:0] = [str(HERE / folder) for folder in ("audio", "selection", "store", "train", "workflow")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """One process runs all tests of a file, which share fixtures, and one all that look at the toy."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "toy" if file in OF_THE_TOY else file

    return ByFile(config, log)


def _rank(item: pytest.Item) -> tuple[bool, int]:
    file = item.path.relative_to(HERE.parent)
    folder = file.parts[1]
    return file.as_posix() not in OF_THE_TOY, LONGEST.index(folder) if folder in LONGEST else len(LONGEST)
