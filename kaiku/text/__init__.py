"""Text that belongs to speech: captions, normalisation, and which words fall into which clip."""
