"""A line that loses, doubles, swaps and spoils messages: the account names each, exactly."""

import numpy as np

from engines.cells import Cells
from streamer.client import CellSender
from streamer.simulator import Acquisition, Faults, acquire, make_plan
from tests.support.talk import check_account
from tests.support.toy import CHANNELS, toy_frames


def test_the_account_of_100_000_cells_adds_up_and_names_every_fault(streamer):
    classes = np.random.default_rng(3).integers(0, 3, 1000)
    cells = Cells("toy", toy_frames(classes), CHANNELS)
    plan = make_plan(1000, rate=40_000, seconds=3, seed=4, limit=100_000)
    faults = Faults(drop=0.01, duplicate=0.01, reorder=0.01, corrupt=0.01)
    how = Acquisition("faulty", per_message=8, checksum="crc32", faults=faults, seed=9)
    with CellSender(streamer.cells) as sender:
        report = acquire(sender, cells, plan, how)
    totals = report.totals
    account = totals.account
    assert account.sent == 100_000
    assert min(report.faults[name] for name in ("dropped", "duplicated", "reordered", "corrupted")) > 400
    assert totals.missing == report.faults["dropped"] + report.faults["corrupted"]
    assert account.duplicates == report.faults["duplicated"]
    # A message held back when the next one is lost or spoilt arrives in order after all.
    assert 0.9 * report.faults["reordered"] <= account.disordered <= report.faults["reordered"]
    assert account.rejected == report.expected_rejections
    assert len(account.rejected) == 6
    check_account(totals, streamer.journal("faulty"))
