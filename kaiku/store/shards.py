"""Shards: which recordings one job handles, the same on every machine and for ever."""

import hashlib

MAX_BYTES = 192 << 20
"""Decoded audio a shard should stay under when its corpus is first scanned, so that it has room to grow to 256 MB."""


def shard_of(recording: str, shards: int) -> str:
    """Name of the shard a recording belongs to, by a hash of its id: three digits, `000` and up."""
    value = int.from_bytes(hashlib.blake2b(recording.encode(), digest_size=8).digest(), "big")
    return shard_name(value % shards)


def shard_name(number: int) -> str:
    """`7` -> `007`."""
    return f"{number:03d}"


def shards_for(decoded_bytes: int) -> int:
    """Number of shards for a corpus of this size: the power of two that keeps each under MAX_BYTES, at most 256."""
    shards = 1
    while shards < 256 and decoded_bytes / shards > MAX_BYTES:
        shards *= 2
    return shards
