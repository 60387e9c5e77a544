"""Generations of a tree on one machine's disk: what goes onto machines, by the standard library alone."""
