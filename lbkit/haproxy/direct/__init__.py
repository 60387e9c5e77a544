"""One HAProxy that runs somewhere, lbkit's or not, by its runtime socket: no topology, no lock, no journal.

Public as `lbkit.haproxies`. Each `plan_...` only looks; each `apply_...` plans anew, carries out, and looks again.
"""
