"""A disk that takes no more: sorting stops or goes on as configured, and the account holds either way."""

import time

import pytest

from streamer.client import CellSender
from tests.support.talk import TOY_SCHEMA, Listening, check_account, send_toy

CELLS = 1500


@pytest.mark.parametrize("on_fault", ["disarm", "continue"])
@pytest.mark.timeout(120)
def test_a_full_disk(start_streamer, on_fault):
    # Room for the header and some 500 records; the journal's last attempts take the ten seconds of its patience.
    streamer = start_streamer(sections=f'[journal]\nsync_s = 0.05\non_fault = "{on_fault}"', file_bytes=40_000)
    sorter = Listening(streamer.decisions)
    with CellSender(streamer.cells) as sender:
        sender.start("full", TOY_SCHEMA)
        for _ in range(CELLS // 10):
            send_toy(sender, [1] * 10)
            time.sleep(0.004)
        time.sleep(0.5)
        send_toy(sender, [2] * 10)
        totals = sender.end()
    records, _ = sorter.until_totals()
    check_account(totals)
    assert totals.account.decided == CELLS + 10
    last = records[records["class_"] == 2]
    assert len(last) == 10
    if on_fault == "disarm":
        assert totals.account.not_kept["disarmed"] >= 10
        assert (last["way"] == 0).all()
    else:
        assert totals.account.kept == CELLS + 10
    assert streamer.stop() == 0
