"""The verdict on a cell is the first rule it breaks; it is kept only if it breaks none."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import Bound, GateSection, parse_config
from streamer.decision import Gates, decide
from streamer.vocabulary import Reason

CLASSES = ("A", "B", "C")
GATES = Gates(
    [GateSection("sort", "left", {"A": Bound(0.375)}), GateSection("discard", "waste", {"B": Bound(0.375)})], CLASSES
)


def rule_by_rule(late, uncertain, place, armed):
    """Return the reason as the documentation orders the rules."""
    if late:
        return Reason.LATE
    if uncertain:
        return Reason.UNCERTAIN
    if place == "outside":
        return Reason.NOT_IN_GATE
    if place == "waste":
        return Reason.WASTE_GATE
    return Reason.KEPT if armed else Reason.DISARMED


ROWS = {
    # The top class has 0.75 where certain and 0.5 where not; the bar is at 0.625.
    ("left", False): [0.75, 0.125, 0.125],
    ("left", True): [0.5, 0.25, 0.25],
    ("waste", False): [0.125, 0.75, 0.125],
    ("waste", True): [0.25, 0.5, 0.25],
    ("outside", False): [0.125, 0.125, 0.75],
    ("outside", True): [0.25, 0.25, 0.5],
}


@pytest.mark.parametrize("armed", [True, False])
@pytest.mark.parametrize("deadlines", [True, False])
def test_every_combination_of_broken_rules_has_its_first_as_reason(armed, deadlines):
    cases = list(product((False, True), ROWS))
    probabilities = np.array([ROWS[key] for _, key in cases], np.float32)
    in_time = np.array([not late for late, _ in cases])
    verdicts = decide(probabilities, in_time if deadlines else None, GATES, min_confidence=0.625, armed=armed)
    expected = [rule_by_rule(late and deadlines, key[1], key[0], armed) for late, key in cases]
    assert [Reason(code) for code in verdicts.reason] == expected
    assert verdicts.way.tolist() == [int(reason == Reason.KEPT) for reason in expected]
    assert verdicts.gate.tolist() == [{"left": 0, "waste": 1, "outside": -1}[key[0]] for _, key in cases]
    assert verdicts.class_.tolist() == probabilities.argmax(axis=1).tolist()
    assert verdicts.confidence.tolist() == probabilities.max(axis=1).tolist()
    dtypes = [column.dtype for column in verdicts]
    assert dtypes == [np.int16, np.float32, np.int16, np.uint8, np.uint8]


def test_the_combinations_cover_every_reason_of_a_classified_cell():
    reasons = {
        rule_by_rule(*case)
        for case in product((False, True), (False, True), ("left", "waste", "outside"), (False, True))
    }
    assert {reason.label for reason in reasons} == {
        "late",
        "uncertain",
        "not_in_gate",
        "waste_gate",
        "disarmed",
        "kept",
    }


@pytest.mark.parametrize("where", range(3))
@pytest.mark.parametrize("armed", [True, False])
@pytest.mark.parametrize("min_confidence", [0.0, 0.5])
def test_a_nan_is_never_kept(where, armed, min_confidence):
    row = np.array([[1.0, 0, 0], [1.0, 0, 0]], np.float32)
    row[0, where] = np.nan
    verdicts = decide(row, None, GATES, min_confidence=min_confidence, armed=armed)
    assert verdicts.reason[0] == Reason.UNCERTAIN
    assert verdicts.way[0] == 0
    assert (verdicts.reason[1] == Reason.KEPT) == armed


def test_confidence_at_the_bar_is_enough():
    at = np.float32(0.9)
    rows = np.array([[np.nextafter(at, np.float32(0)), 0, 0], [at, 0, 0]], np.float32)
    verdicts = decide(rows, None, GATES, min_confidence=0.9, armed=True)
    assert verdicts.reason.tolist() == [Reason.UNCERTAIN, Reason.KEPT]
    alone = [decide(row[None], None, GATES, min_confidence=0.9, armed=True).reason[0] for row in rows]
    assert alone == [Reason.UNCERTAIN, Reason.KEPT]


def test_without_gates_nothing_is_kept():
    verdicts = decide(np.eye(3, dtype=np.float32), None, Gates([], CLASSES), min_confidence=0, armed=True)
    assert verdicts.reason.tolist() == [Reason.NOT_IN_GATE] * 3
    assert verdicts.way.tolist() == [0] * 3


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    st.lists(st.lists(st.floats(width=32), min_size=3, max_size=3), min_size=1, max_size=8),
    st.integers(0, 255),
    st.floats(0, 1),
    st.booleans(),
)
def test_whatever_the_engine_says_only_timely_certain_gated_cells_leave(rows, late, bar, armed):
    probabilities = np.array(rows, np.float32)
    in_time = np.array([not late >> i & 1 for i in range(len(rows))])
    with np.errstate(all="ignore"):
        verdicts = decide(probabilities, in_time, GATES, min_confidence=bar, armed=armed)
    for i, row in enumerate(probabilities):
        if verdicts.way[i]:
            assert verdicts.reason[i] == Reason.KEPT
            assert armed
            assert in_time[i]
            assert not np.isnan(row).any()
            assert row.max() >= np.float32(bar)
            assert row[0] >= 0.375
        else:
            assert verdicts.reason[i] != Reason.KEPT


def test_one_batch_does_not_change_the_gates_for_the_next():
    """The ways of a batch are written to: they must not be those of the gates."""
    before = GATES.way_of.tolist()
    decide(np.array([[1, 0, 0]], np.float32), np.array([False]), GATES, min_confidence=0, armed=True)
    assert GATES.way_of.tolist() == before


def test_a_batch_is_decided_as_its_cells_are_one_by_one():
    rng = np.random.default_rng(4)
    gates = Gates(
        parse_config(
            {
                "streamer": {"bundle": "-"},
                "gate": [
                    {"name": "a", "way": "left", "where": {"A": {"min": 0.5}}},
                    {"name": "b", "way": "waste", "where": {"B": {"min": 0.5}}},
                ],
            },
            "test",
            Path(),
        ).gate,
        ("A", "B", "C"),
    )
    probabilities = rng.dirichlet((0.4, 0.4, 0.4), 500).astype(np.float32)
    probabilities[7] = np.nan
    in_time = rng.random(500) < 0.9
    for armed in (True, False):
        batch = decide(probabilities, in_time, gates, min_confidence=0.6, armed=armed)
        single = [
            decide(probabilities[i : i + 1], in_time[i : i + 1], gates, min_confidence=0.6, armed=armed)
            for i in range(500)
        ]
        for name in batch._fields:
            one_by_one = np.concatenate([getattr(verdict, name) for verdict in single])
            assert getattr(batch, name).dtype == one_by_one.dtype
            np.testing.assert_array_equal(getattr(batch, name), one_by_one)
        assert len(set(batch.reason.tolist())) >= 4
