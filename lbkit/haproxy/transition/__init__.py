"""The way from the HAProxy that runs to the one that is wanted. Pure: what is known of both in, steps out.

`planner.py` decides. `servers.py` plans what becomes of servers: `changes.py` finds it, `moving.py` has the steps, and
`adding.py` what `add server` must be told. `files.py` plans maps, lists and certificates. `steps.py` says what a step is;
`written.py` reads the configuration's text, and `statefile.py` writes what the next process shall know of its servers.
"""
