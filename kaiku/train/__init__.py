"""One trainer for all families: resume, stop, early stop, sampling by length, adapters, merging."""
