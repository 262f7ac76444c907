"""Measure every item within its time, go on when one fails, write JSON, print a table last."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.gpu.items import Row, Setting, bandwidth, matrix_peak, networks, pycuda_kernel
from bench.machine import machine, versions

ITEMS: dict[str, tuple[Callable[[Setting], list[Row]], float]] = {
    "bf16 matrix peak": (matrix_peak, 60.0),
    "copy bandwidth": (bandwidth, 60.0),
    "pycuda": (pycuda_kernel, 60.0),
    "networks": (networks, 1080.0),
}
"""Each with the seconds it may take: 21 minutes together."""


def main() -> None:
    """Run the items."""
    parser = argparse.ArgumentParser(prog="bench/gpu.sh", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--dry-run", action="store_true", help="on the processor, tiny: measures nothing")
    options = parser.parse_args()
    import torch

    if not options.dry_run and not torch.cuda.is_available():
        raise SystemExit("bench.gpu: PyTorch finds no GPU it can use; --dry-run tries the steps on the processor")
    device = "cpu" if options.dry_run else "cuda"
    result: dict[str, Any] = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "dry_run": options.dry_run,
        "gpu": None if options.dry_run else torch.cuda.get_device_name(),
        "machine": machine(),
        "versions": versions("torch", "pycuda", "tensorrt", "numpy"),
        "rows": [],
        "failed": {},
    }
    for name, (item, seconds) in ITEMS.items():
        print(f"{name} …", flush=True)
        try:
            rows = item(Setting(device, options.dry_run, time.monotonic() + seconds))
            result["rows"] += [row._asdict() for row in rows]
        except Exception as error:  # noqa: BLE001 - one item that fails must not cost the others
            result["failed"][name] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        # After every item, so that a machine taken away leaves what was measured.
        options.out.write_text(json.dumps(result, indent=2) + "\n")
    _table(result)
    print(f"written: {options.out}")


def _table(result: dict[str, Any]) -> None:
    rows = [(row["item"], row["case"], f"{row['value']:,.4g}", row["unit"]) for row in result["rows"]]
    rows += [(name, "failed", "", why) for name, why in result["failed"].items()]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(4)]
    print("DRY RUN on the processor: the figures mean nothing" if result["dry_run"] else result["gpu"])
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
