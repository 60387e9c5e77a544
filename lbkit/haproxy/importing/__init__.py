"""From a haproxy.cfg that exists to a topology.

`cfg` reads it to sections of lines of words, as HAProxy does. Each section gives what it can to the keys of the
language and its other lines to `raw`, and each line's way is told (`report`). `whole` puts the parts together to a
document that the loader reads; `compare` holds what lbkit renders from it against the original.
"""
