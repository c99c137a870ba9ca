"""Edits that change no number: shown by computing a sample of what is stored again, then accepted as the same code."""
