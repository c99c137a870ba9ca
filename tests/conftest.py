"""Helper modules that several test files share are importable from wherever a run begins."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / folder) for folder in ("audio", "selection", "store", "train", "workflow")]
