"""Netlink, as little of it as lbkit needs: many requests in one message out, a few attributes in (docs/adr/0004)."""
