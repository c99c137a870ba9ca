"""Which recordings are held out of an export whose dataset holds out none."""

import hashlib
from collections.abc import Mapping

from kaiku.exports import Recording

LIBRARIES: tuple[str, ...] = ()


def held_out(recordings: Mapping[Recording, float], share: float) -> frozenset[Recording]:
    """Whole recordings, in the order of a hash of their ids, until they hold `share` of the seconds.

    At least one recording stays for training, and at least one is held out where there are two or more and share > 0.
    """
    wanted_s, found, seconds = share * sum(recordings.values()), [], 0.0
    for recording in sorted(recordings, key=_place)[: max(0, len(recordings) - 1)]:
        if seconds >= wanted_s:
            break
        # One that would overshoot by more than it comes near is passed over, unless there is none yet.
        if found and seconds + recordings[recording] - wanted_s > wanted_s - seconds:
            continue
        found.append(recording)
        seconds += recordings[recording]
    return frozenset(found)


def _place(recording: Recording) -> bytes:
    return hashlib.blake2b("\0".join(recording).encode(), digest_size=8).digest()
