"""What clients meet while something is changed: steady requests to all that is promised, counted and judged."""
