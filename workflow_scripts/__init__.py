"""One thin program per rule, of the rule's name: arguments in, library called, files written."""

import os
from pathlib import Path


def path(given: str) -> Path:
    """A path of the command line; `~` is the home folder, for `make` hands it over as it stands."""
    return Path(os.path.expanduser(given))
