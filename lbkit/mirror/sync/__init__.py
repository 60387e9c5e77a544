"""From upstream to the next generation, on the master: what would change, whether that may be, and the evidence of each run."""
