"""Derived corpora: clips made of another corpus' clips, slower, higher, or with noise, each under a key of its own."""
