"""`python -m lbkit` is `lbkit`."""

from __future__ import annotations

import sys

from lbkit.faces.cli import main

if __name__ == "__main__":
    sys.exit(main())
