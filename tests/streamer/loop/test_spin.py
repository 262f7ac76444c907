"""A loop told to spin never sleeps while a series is open, sleeps between two, and decides as any other."""

import os
import time
from pathlib import Path

import pytest

from streamer.client import CellSender
from tests.support.talk import TOY_SCHEMA, check_account, send_toy

WATCHED_S = 1.0


def loop_seconds(streamer):
    """Return the processor seconds of the streamer's loop, which is its first thread."""
    pid = streamer.process.pid
    fields = Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def worked(streamer):
    """Return the processor seconds of the loop over the next `WATCHED_S`."""
    before = loop_seconds(streamer)
    time.sleep(WATCHED_S)
    return loop_seconds(streamer) - before


@pytest.mark.parametrize("spin", [True, False])
def test_it_works_without_cells_only_if_told_to_and_only_in_a_series(start_streamer, spin):
    streamer = start_streamer(spin=str(spin).lower())
    with CellSender(streamer.cells) as sender:
        sender.start("watched", TOY_SCHEMA, sort_delay_us=5_000_000)
        for _ in range(50):
            send_toy(sender, [1])
        open_s = worked(streamer)
        totals = sender.end()
    until = time.monotonic() + 20
    while (closed_s := worked(streamer)) > 0.15 and time.monotonic() < until:
        pass  # the journal closes first
    # Other work may take most of the processor, but an idle loop needs next to nothing of it.
    assert open_s > 0.2 if spin else open_s < 0.15
    assert closed_s < 0.15
    assert totals.account.decided == 50
    check_account(totals, streamer.journal("watched"))
