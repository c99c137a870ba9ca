"""House-keeping in a workspace between runs: what lies there, what can go, and another number of shards."""
