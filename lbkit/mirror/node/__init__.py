"""A node of a mirror: it gets what it is told to get, flips when it is told to, and says what it has."""
