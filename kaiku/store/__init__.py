"""The heart: digests, keys, manifests, journals, carry-over and whole writes."""
