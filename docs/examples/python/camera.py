"""A camera coupled to Cellgate: replace `grab` by your own and this is all of it.

    python camera.py --cells digital:2000 --rate 500

What `grab` yields here are recorded or rendered cells at a steady rate, and what stands for the hardware counter is
this machine's monotonic clock in nanoseconds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engines.cells import Cells, open_cells
from streamer.client import CellSender
from streamer.wire import Schema

TIMEBASE = (1, 1_000_000_000)  # one tick of your counter in seconds, as a fraction: (1, 10_000_000) is 100 ns


def counter() -> int:
    """Return the hardware counter now, in ticks. Replace it."""
    return time.monotonic_ns() * TIMEBASE[1] // (TIMEBASE[0] * 1_000_000_000)


def grab(cells: Cells, rate: float) -> Iterator[tuple[np.ndarray, int]]:
    """Yield each cell's frame `(C, H, W)`, raw counts, and its trigger time in ticks. Replace it."""
    begin = time.monotonic()
    for number, frame in enumerate(cells.frames):
        time.sleep(max(0.0, begin + number / rate - time.monotonic()))
        yield frame, counter()


def main() -> None:
    """Send one series and print its account."""
    options = argparse.ArgumentParser(description="A camera coupled to Cellgate.")
    options.add_argument("--to", default="tcp://127.0.0.1:5701", help="the streamer's cells endpoint")
    options.add_argument("--cells", default="digital:2000", help="an .npz of recorded cells, or digital[:N]")
    options.add_argument("--rate", type=float, default=500.0, help="cells per second")
    options.add_argument("--series", default=time.strftime("camera-%Y%m%d-%H%M%S"), help="a name never used before")
    options.add_argument("--sort-delay-us", type=float, help="trigger to actuation; by default the streamer's")
    options.add_argument("--server-key", type=Path, help="the streamer's public key; only beyond this machine")
    options.add_argument("--secret-key", type=Path, help="this camera's secret key; only beyond this machine")
    chosen = options.parse_args()

    cells = open_cells(chosen.cells)
    schema = Schema(
        channels=cells.channels,  # as the bundle calls them; more than it needs do no harm
        dtype=cells.frames.dtype.name,
        timebase=TIMEBASE,
        shape=cells.frames.shape[2:],  # None where each cell has its own size
        checksum="crc32",  # begin with it; leave it out when frames are known to arrive whole
    )
    with CellSender(chosen.to, counter=counter, server_key=chosen.server_key, secret_key=chosen.secret_key) as sender:
        accepted = sender.start(chosen.series, schema, sort_delay_us=chosen.sort_delay_us)
        print(f"accepted: bundle {accepted.bundle} on {accepted.engine}, classes {', '.join(accepted.classes)}")
        for frame, ticks in grab(cells, chosen.rate):
            # One cell per message has the least latency. `seq` counts up by one per cell by itself; a cell the camera
            # saw and could not deliver is passed over with `sender.next_seq += 1`, so that it is known to be missing.
            sender.send(frame[None], np.array([ticks], np.uint64))
        totals = sender.end()
    account = totals.account
    print(f"sent {account.sent} = decided {account.decided} + missing {totals.missing}")
    print(f"decided {account.decided} = kept {account.kept} + not kept {dict(sorted(account.not_kept.items()))}")
    if account.rejected:
        print(f"messages set aside: {account.rejected}; docs/protocol.md, 'Mistakes', says why")


if __name__ == "__main__":
    main()
