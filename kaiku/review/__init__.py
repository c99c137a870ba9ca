"""Review: people listen to clips, keep, reject and correct them; what they decide is a file and wins over bounds."""
