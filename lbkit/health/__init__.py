"""Health checks as data, and lbkit's own probes that mean the same as HAProxy's."""
