"""From files to samples, and from recordings to clips."""
