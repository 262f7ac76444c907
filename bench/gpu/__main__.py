"""Measure every item within its time, go on when one fails, write JSON, print a table last."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.gpu._rows import Row
from bench.gpu._steps import Step, steps
from bench.gpu.items import SKIPPED
from bench.machine import environment, versions

TOTAL_S = 1470.0
"""For everything: half a minute less than 25 minutes."""
LAST_WORDS = 400


def main() -> None:
    """Run the steps."""
    options = argparse.ArgumentParser(prog="bench/gpu.sh", description=__doc__)
    options.add_argument("out", type=Path, nargs="?", default=Path("gpu.json"), metavar="RESULT.json")
    options.add_argument("--dry-run", action="store_true", help="on the processor, tiny: measures nothing")
    options.add_argument("--cells", type=Path, metavar="JURKAT.npz", help="labelled Jurkat cells to train on")
    options.add_argument("--only", metavar="NAMES", help="steps whose names have one of these in them, by commas")
    chosen = options.parse_args()
    result: dict[str, Any] = {
        "bench": "gpu",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "dry_run": chosen.dry_run,
        "gpu": None if chosen.dry_run else _gpu(),
        "environment": environment(),
        "versions": versions("torch", "pycuda", "tensorrt", "onnx"),
        "rows": [],
        "results": {},
        "seconds": {},
        "failed": {},
        "skipped": {},
    }
    until = time.monotonic() + TOTAL_S
    words = (chosen.only or "").split(",")
    with tempfile.TemporaryDirectory(prefix="cellgate-gpu-") as scratch:
        for step in steps(Path(scratch), dry=chosen.dry_run, cells=chosen.cells and chosen.cells.resolve()):
            if any(word in step.name for word in words):
                print(f"{step.name} …", flush=True)
                run(step, until, result)
                # After every step, so that a machine taken away leaves what was measured.
                chosen.out.write_text(json.dumps(result, indent=2) + "\n")
    _table(result)
    print(f"written: {chosen.out}")


def run(step: Step, until: float, result: dict[str, Any]) -> None:
    """Run a step within its time and add what it wrote to the result, also where it was cut off."""
    left = until - time.monotonic()
    if step.reason is not None or left < 1:
        result["skipped"][step.name] = step.reason or "the 25 minutes are over"
        return
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        # A session of its own, so that what it started ends with it.
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and our own arguments
            step.command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = child.wait(min(step.seconds, left))
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(child)
        said.seek(max(0, said.seek(0, os.SEEK_END) - LAST_WORDS))
        words = said.read().decode(errors="replace").strip().splitlines()
    result["seconds"][step.name] = round(time.monotonic() - began, 1)
    last = words[-1] if words else "it said nothing"
    if code == SKIPPED:
        result["skipped"][step.name] = last
    elif code is None:
        result["failed"][step.name] = f"cut off after {result['seconds'][step.name]:.0f} s: {last}"
    elif code:
        result["failed"][step.name] = f"exit code {code}: {last}"
    try:
        rows = step.read(step.out)
    except (msgspec.DecodeError, LookupError, TypeError, ValueError, AttributeError) as error:
        rows = []
        result["failed"].setdefault(step.name, f"its result cannot be read: {error}")
    if not rows and step.name not in result["skipped"]:
        result["failed"].setdefault(step.name, f"it measured nothing: {last}")
    result["rows"] += [msgspec.structs.asdict(row) for row in rows]
    if step.out.suffix == ".json" and step.out.exists():
        with contextlib.suppress(msgspec.DecodeError):
            result["results"][step.name] = msgspec.json.decode(step.out.read_bytes())


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a step and what it started: a streamer, workers."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            break
        try:
            child.wait(3)
        except subprocess.TimeoutExpired:
            continue
        time.sleep(0.2)
    child.wait()


def _gpu() -> str:
    """Return the GPU's name; end where there is none PyTorch can use."""
    try:
        import torch
    except ImportError:
        raise SystemExit("bench.gpu: PyTorch for CUDA is not installed; see docs/gpu.md") from None
    if not torch.cuda.is_available():
        raise SystemExit("bench.gpu: PyTorch finds no GPU it can use; --dry-run tries the steps on the processor")
    return str(torch.cuda.get_device_name())


def _table(result: dict[str, Any]) -> None:
    rows = [Row(**row) for row in result["rows"]]
    lines = [(row.item, row.case, f"{row.value:,.4g}", row.unit) for row in rows]
    lines += [(name, "FAILED", "", why) for name, why in result["failed"].items()]
    lines += [(name, "skipped", "", why) for name, why in result["skipped"].items()]
    widths = [max((len(line[i]) for line in lines), default=0) for i in range(4)]
    print("DRY RUN on the processor: the figures mean nothing" if result["dry_run"] else result["gpu"])
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
