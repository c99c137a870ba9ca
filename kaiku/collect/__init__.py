"""Collecting from the web: settings, the list of sources, the gate of rights, yt-dlp, an item, the whole collection.

Nothing is imported here: every program reads the settings, and few collect.
"""
