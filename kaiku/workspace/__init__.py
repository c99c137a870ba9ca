"""The room that touches Snakemake's own files, and the only one: start, lock, provenance, closing words.

Every other room works without Snakemake; jobs never come here.
"""
