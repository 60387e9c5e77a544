"""The keeper, on the master: when to sync, what is committed, which nodes get it from whom, and who is fresh enough to serve."""
