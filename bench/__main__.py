"""`python -m bench`: `cellgate bench` where Cellgate is not installed, as on a machine lent for an hour."""

from __future__ import annotations

import sys

from bench.cli import app
from engines.errors import CellgateError

if __name__ == "__main__":
    try:
        app(prog_name="python -m bench")
    except CellgateError as error:
        print(f"cellgate: {error}", file=sys.stderr)
        sys.exit(2)
