"""The arithmetic of outcomes, on ones made by hand."""

import msgspec
import numpy as np
import pytest

from bench.curve import curve
from bench.live._outcome import UNSAVED, Outcome, read_outcome
from engines.errors import CellgateError
from streamer.vocabulary import Account, Reason
from streamer.wire import DECISION, Totals

MS = 1_000_000


def totals(**account):
    missing = account.pop("missing", 0)
    return Totals("s", "end", Account(**account), missing, "")


def outcome(received_ms, *, reason=None, deadline_ms=0.0, slack_us=None, told=None):
    n = len(received_ms)
    return Outcome(
        planned_ns=np.arange(1, n + 1) * MS,
        sent_ns=np.arange(1, n + 1) * MS + 1000,
        received_ns=(np.array(received_ms) * MS).astype(np.int64),
        reason=np.zeros(n, np.uint8) if reason is None else np.array(reason, np.uint8),
        slack_us=np.zeros(n, np.int32) if slack_us is None else np.array(slack_us, np.int32),
        deadline_ns=np.full(n, int(deadline_ms * MS)),
        totals=told,
        steady_cells_per_s=1.0,
        client_cpu_s=0.0,
        series="s",
    )


def test_percentiles_are_those_of_the_decided_cells_from_plan_to_receipt():
    latency_ms = np.arange(1, 1001) / 10
    planned = np.arange(1, 1001)
    figures = outcome(planned + latency_ms).figures()
    assert figures["latency_us"]["p50"] == pytest.approx(50_050, abs=1)
    assert figures["latency_us"]["p99"] == pytest.approx(99_010, abs=10)
    assert figures["latency_us"]["max"] == 100_000
    assert figures["jitter_us"] == pytest.approx(99_900.1 - 50_050, abs=1)
    assert figures["sender_lateness_us"]["p50"] == 1.0


def test_a_cell_without_a_decision_is_missing_and_not_in_time():
    found = outcome([1.5, 0, 3.5])
    assert (found.missing, found.in_time.tolist()) == (1, [True, False, True])
    assert len(found.latency_us()) == 2
    assert found.figures()["missed"] == 1


@pytest.mark.parametrize("reason", UNSAVED)
def test_a_cell_that_was_given_up_is_not_in_time_however_soon(reason):
    assert outcome([1.5, 2.5], reason=[Reason.NOT_IN_GATE, reason]).in_time.tolist() == [True, False]


def test_a_decision_after_its_sort_time_is_not_in_time():
    assert outcome([3.0, 5.1], deadline_ms=5).in_time.tolist() == [True, False]


def test_keeping_after_the_deadline_is_counted():
    found = outcome([1.5, 2.5, 3.5], reason=[Reason.KEPT, Reason.KEPT, Reason.LATE], slack_us=[5, -1, -1])
    assert found.kept_late == 1


@pytest.mark.parametrize(
    ("account", "told"),
    [
        ({"sent": 3, "received": 3, "decided": 3, "kept": 3}, []),
        ({"sent": 2, "received": 2, "decided": 2, "kept": 2}, ["sent 3, but the streamer says 2", "decided 2, but"]),
        ({"sent": 3, "received": 3, "decided": 3, "kept": 2}, ["decided is not kept + not kept"]),
        (
            {"sent": 3, "received": 2, "decided": 2, "kept": 2, "missing": 0},
            ["decided 2 + missing 0", "decided 2, but"],
        ),
    ],
)
def test_an_account_that_does_not_add_up_is_told(account, told):
    errors = outcome([1.5, 2.5, 3.5], told=totals(**account)).errors()
    assert len(errors) == len(told)
    assert all(error.startswith(text) for error, text in zip(errors, told, strict=True))


def write(path, first, n, seqs, groups):
    records = np.zeros(len(seqs), DECISION)
    records["seq"] = seqs
    np.savez(
        path,
        first=np.array(first),
        n=np.array(n),
        due_ns=np.array(first) * 10,
        sent_ns=np.array(first) * 10 + 1,
        received_ns=np.arange(1, len(groups) + 1) * 1000,
        received_n=np.array(groups),
        records=records,
        cpu_s=np.array(0.5),
        totals=np.frombuffer(msgspec.json.encode(None), np.uint8),
    )
    return path


def test_what_several_senders_wrote_is_put_together_by_seq(tmp_path):
    files = [
        write(tmp_path / "0.npz", [0, 4], [2, 2], [0, 1, 3, 2, 5], [2, 1, 2]),
        write(tmp_path / "1.npz", [2], [2], [], []),
    ]
    found = read_outcome(files, 6, "s")
    assert found.planned_ns.tolist() == [0, 0, 20, 20, 40, 40]
    assert found.received_ns.tolist() == [1000, 1000, 3000, 2000, 0, 3000]
    assert found.missing == 1
    assert found.client_cpu_s == 1.0
    # Three cells in the two microseconds after the first message.
    assert found.steady_cells_per_s == pytest.approx(3 / 2e-6)


@pytest.mark.parametrize("seqs", [[0, 0], [0, 7]])
def test_a_cell_decided_twice_or_never_sent_is_no_result(tmp_path, seqs):
    with pytest.raises(CellgateError, match="decided twice, or ones that were never sent"):
        read_outcome([write(tmp_path / "0.npz", [0], [2], seqs, [2])], 2, "s")


def test_a_curve_is_the_distribution():
    values = np.random.default_rng(0).exponential(100, 10_000)
    found = curve(values)
    for share, latency in zip(found["share"], found["latency"], strict=True):
        assert (values <= latency + 0.1).mean() >= share - 1e-3
    assert found["latency"] == sorted(found["latency"])
    assert found["share"][-1] == pytest.approx(1 - 1e-4)
    assert curve(np.zeros(0)) == {"share": [], "latency": []}
