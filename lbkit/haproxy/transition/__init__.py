"""The way from the HAProxy that runs to the one that is wanted. Pure: what is known of both in, steps out.

`planner.py` decides; `servers.py` and `files.py` plan their parts; `steps.py` says what a step is; `written.py`
reads the configuration's text; `statefile.py` writes what the next process shall know of its servers.
"""
