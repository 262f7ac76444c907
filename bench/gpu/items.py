"""One item in a process of its own, so that one that hangs or crashes costs the others nothing.

python -m bench.gpu.items NAME ROWS [--dry-run]
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from bench.gpu._rows import Setting, Skip
from engines.errors import CellgateError

ITEMS = ("limits", "networks", "pycuda", "tensorrt")
SKIPPED = 3
"""Exit code of an item that has nothing to measure here; why is what it says last."""


def main() -> None:
    """Run the item and write down its rows."""
    options = argparse.ArgumentParser(prog="python -m bench.gpu.items")
    options.add_argument("name", choices=ITEMS)
    options.add_argument("rows", type=Path)
    options.add_argument("--dry-run", action="store_true")
    chosen = options.parse_args()
    setting = Setting("cpu" if chosen.dry_run else "cuda", chosen.dry_run, chosen.rows)
    try:
        # Imported by name and alone: a library that one item needs and that is not here must not stop another.
        getattr(importlib.import_module(f"bench.gpu._{chosen.name}"), chosen.name)(setting)
    except Skip as why:
        print(why)
        sys.exit(SKIPPED)
    except CellgateError as error:
        sys.exit(f"{chosen.name}: {error}")


if __name__ == "__main__":
    main()
