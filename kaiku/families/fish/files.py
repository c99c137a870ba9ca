"""The small files of a checkpoint folder, of which the broken one is told by its name."""

import json
from pathlib import Path
from typing import Any

from kaiku.errors import CorruptFile

REMEDY = "Fetch the model again, or make it again."


def read_object(path: Path) -> dict[str, Any]:
    """What a JSON file holds. Raises CorruptFile where it is none, or holds no object."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise CorruptFile(f"{path} cannot be read: {fault}", expected="a JSON file", remedy=REMEDY) from fault
    if not isinstance(found, dict):
        raise CorruptFile(f"{path} holds a {type(found).__name__}", expected="a JSON object", remedy=REMEDY)
    return found
