"""From what a person declares to load balancers with everything filled in; every mistake said at its place."""
