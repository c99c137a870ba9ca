"""Kaiku turns recordings into speech models: a workflow in which exactly the stale pieces are made again."""

__version__ = "0.1.0"
