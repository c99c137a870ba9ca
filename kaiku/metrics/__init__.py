"""What is measured of speech, codecs and voices: each metric a function, each figure with its unit."""
