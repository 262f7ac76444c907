"""How near `cellgate classify` comes to its engine's own rate, and whether its memory stays flat, in one run.

python -m bench.classify_rate --json bench/results/classify-rate.json
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bench.machine import machine, versions
from engines.backends import Engine, keep_busy, open_engine
from engines.bundle import Bundle, load_bundle, pretrained
from engines.cells import Cell, Cells, Recording, Span, open_cells, open_recording, write_npz
from engines.offline import Parts, RunInfo, channels_of, classify, table_of
from engines.results import About, check_target, write_results

RENDERED = 2000
TURNS = 5
ALONE = 0.5
ALONE_CELLS = 4096
"""Cells that the engine gets by itself, of those it gets through `classify`."""


def main() -> None:
    """Measure and print; write JSON where asked."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--cells", type=int, default=100_000)
    options.add_argument("--bundle", default="digital", help="name of a shipped bundle")
    options.add_argument("--batch", type=int, default=64)
    options.add_argument("--threads", type=int, default=0, help="of the engine; 0: one per core")
    options.add_argument("--embedding", action="store_true", help="keep the embedding")
    options.add_argument("--ending", default=".parquet", help="of the result")
    options.add_argument("--folder", type=Path, help="where cells and result are put during the run")
    options.add_argument("--json", type=Path, help="write the figures here")
    chosen = options.parse_args()
    check_target(Path(f"result{chosen.ending}"))  # loads the library, as `cellgate classify` does before it begins
    bundle = load_bundle(pretrained(chosen.bundle))
    engine = open_engine(bundle, ladder=(chosen.batch,), threads=chosen.threads, mode="throughput")
    try:
        engine.warm()
        with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
            row = _measure(engine, bundle, Path(folder), chosen)
    finally:
        engine.close()
    for name, value in row.items():
        print(f"{name}: {value}")
    if chosen.json is not None:
        settings = {name: getattr(chosen, name) for name in ("cells", "batch", "threads", "embedding", "ending")}
        result = {"command": "python -m bench.classify_rate", "bundle": bundle.sha256, **settings, **row}
        result |= {"machine": machine(), "versions": versions("cellgate", "numpy", "openvino", "pyarrow", "h5py")}
        chosen.json.write_text(json.dumps(result, indent=2) + "\n")


def _measure(engine: Engine, bundle: Bundle, folder: Path, chosen: argparse.Namespace) -> dict[str, object]:
    """Classify in turns, the engine alone before each, so that what else the machine does falls on both alike."""
    path = _many(bundle, folder / "cells.npz", chosen.cells)
    with open_recording(path) as recording, _Memory() as memory:
        picked = channels_of(recording, bundle)
        # As many as do not fit into the caches: cells from a file do not come from there either.
        frames = np.stack([recording[at].frame[picked] for at in range(min(len(recording), ALONE_CELLS))])
        names = ("cells", "cells_sha256", "bundle_sha256", "engine")
        about = dict.fromkeys(names, "bench")
        run = RunInfo(**about, embedding=chosen.embedding, channels=tuple(picked))
        parts = Parts(folder / "parts", run, resume=False)
        share = chosen.cells // TURNS
        alone_s, through_s, peaks = [], [], []
        alone_cpu_s = through_cpu_s = 0.0
        for turn in range(1, TURNS + 1):
            cpu = time.process_time()
            alone_s.append(_alone(engine, frames, int(share * ALONE), chosen.batch) / ALONE)
            alone_cpu_s += (time.process_time() - cpu) / ALONE
            began, cpu = time.perf_counter(), time.process_time()
            classify(_UpTo(recording, turn * share), engine, parts, picked=picked, batch=chosen.batch)
            through_s.append(time.perf_counter() - began)
            through_cpu_s += time.process_time() - cpu
            peaks.append(memory.peak())
        began = time.perf_counter()
        results = table_of(parts, recording, bundle, embedding=chosen.embedding, about=About())
        rows = write_results(results, folder / f"result{chosen.ending}")
        write_s = time.perf_counter() - began
        peaks.append(memory.peak())
    ratios = np.array(alone_s) / np.array(through_s)
    return {
        "rows": rows,
        "engine_cells_per_s": round(share * TURNS / sum(alone_s)),
        "classify_cells_per_s": round(share * TURNS / sum(through_s)),
        "classify_over_engine": round(sum(alone_s) / sum(through_s), 3),
        "classify_over_engine_median_of_turns": round(float(np.median(ratios)), 3),
        "engine_cpu_us_per_cell": round(alone_cpu_s / (share * TURNS) * 1e6, 1),
        "classify_cpu_us_per_cell": round(through_cpu_s / (share * TURNS) * 1e6, 1),
        "writing_s": round(write_s, 2),
        "with_writing_over_engine": round(sum(alone_s) / (sum(through_s) + write_s), 3),
        "memory_at_20_percent_mb": round(peaks[0] / 1e6, 1),
        "memory_at_100_percent_mb": round(max(peaks[1:-1]) / 1e6, 1),
        "memory_with_writing_mb": round(max(peaks[1:]) / 1e6, 1),
        "input_mb": round(chosen.cells * frames[0].nbytes / 1e6, 1),
    }


def _many(bundle: Bundle, path: Path, cells: int) -> Path:
    """Write so many cells: rendered ones, over and over."""
    rendered = open_cells(f"digital:{min(cells, RENDERED)}")
    channels = bundle.manifest.input.channels
    frames = rendered.select(channels)
    few = path.with_name("few.npy")
    many = np.lib.format.open_memmap(few, "w+", frames.dtype, (cells, *frames.shape[1:]))
    for at in range(0, cells, len(frames)):
        many[at : at + len(frames)] = frames[: cells - at]
    write_npz(Cells("bench", many, channels), path)
    few.unlink()
    return path


def _alone(engine: Engine, frames: NDArray[np.generic], cells: int, batch: int) -> float:
    """Return the seconds that the engine takes for so many cells in memory, as many batches under way as it takes."""
    whole = len(frames) // batch * batch
    batches = ((None, frames[at % whole :][: min(batch, cells - at)]) for at in range(0, cells, batch))
    began = time.perf_counter()
    for _ in keep_busy(engine, batches):
        pass
    return time.perf_counter() - began


class _UpTo(Recording):
    """The first `end` cells of a recording."""

    def __init__(self, whole: Recording, end: int) -> None:
        self._whole, self._end = whole, end
        self.name, self.kind, self.channels, self.dtype = whole.name, whole.kind, whole.channels, whole.dtype
        self.shape, self.about, self.skipped = whole.shape, whole.about, whole.skipped

    def __len__(self) -> int:
        return self._end

    def __getitem__(self, index: int) -> Cell:
        return self._whole[index]

    def span(self, start: int, stop: int) -> Span | None:
        return self._whole.span(start, min(stop, self._end))

    def cells(self, start: int = 0) -> Iterator[Cell]:
        return islice(self._whole.cells(start), self._end - start)


class _Memory:
    """Samples this process's resident memory."""

    def __init__(self) -> None:
        self._peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def peak(self) -> int:
        """Return the largest number of bytes since the last call."""
        peak, self._peak = max(self._peak, _resident()), 0
        return peak

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            self._peak = max(self._peak, _resident())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
