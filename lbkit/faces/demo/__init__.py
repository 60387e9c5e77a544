"""The story that `make demo` tells of the example: a deployment, two bad days, a repair, and nothing left."""
