"""A workspace against one that was built from nothing."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from chain import Chain, Job, Watch

from kaiku.store import manifests

_known: dict[tuple, dict[str, bytes]] = {}
"""Artefacts of a shard that was built from nothing, by all they depend on."""


def check(chain: Chain) -> None:
    """Every artefact, from manifests to packs, has the bytes of a clean build, and nothing half-written lies about."""
    with tempfile.TemporaryDirectory(dir=chain.root.parent) as folder:
        clean = Chain(Path(folder), chain.corpus, chain.shards, chain.how)
        shards = clean.scan().shards
        for path in clean.manifests.iterdir():
            assert (chain.manifests / path.name).read_bytes() == path.read_bytes(), path.name
        for shard in shards:
            expected, found = _build(clean, shard), _artefacts(chain, shard)
            assert [name for name in expected if found[name] != expected[name]] == []
    assert [left for shard in shards for job in chain.jobs(shard) for left in _left_over(chain, job)] == []


def _build(clean: Chain, shard: str) -> dict[str, bytes]:
    given = [path(clean.manifests, shard).read_bytes() for path in (manifests.audio_path, manifests.text_path)]
    depends = (shard, *given, *clean.how.params.values(), *clean.how.versions.values())
    if depends not in _known:
        for job in clean.jobs(shard):
            job.run(job, Watch())
        _known[depends] = _artefacts(clean, shard)
    return _known[depends]


def _artefacts(chain: Chain, shard: str) -> dict[str, bytes]:
    outputs = [path for job in chain.jobs(shard) for path in job.outputs]
    return {str(path.relative_to(chain.root)): path.read_bytes() for path in outputs}


def _left_over(chain: Chain, job: Job) -> Iterator[Path]:
    if job.stage != "select":  # no lock is taken for it, so that nobody may sweep
        for path in job.outputs:
            yield from path.parent.glob(f".{path.name}.*")
        yield from chain.carry(*job.place).glob(".*")
        yield from chain.carry(*job.place).glob("attic.new")
