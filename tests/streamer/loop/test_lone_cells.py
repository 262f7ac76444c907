"""A lone cell takes a shorter way to its decision: it must end as the long way would have ended."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import Bound, GateSection
from streamer.decision import Gates, Spec, Verdict, Verdicts, decide, decide_one
from streamer.ingest import FACTS
from streamer.loop._entries import entries_of, entry_of_one
from streamer.loop._rows import classified_rows
from streamer.loop._series import slack_us, slack_us_one

NS = st.integers(-(2**62), 2**62)
SPEC = Spec(("G1", "G2", "M"), 0, ())
GATES = [
    [],
    [GateSection("one", "left", {"G1": Bound(0.5)})],
    [GateSection("two", "left", {"G2": Bound(0.3, 0.7)}), GateSection("rest", "waste", {"M": Bound(0.1)})],
    [GateSection("sum", "left", {"G1+M": Bound(0.5)}), GateSection("top", "right", {"top": Bound(0.4)})],
]
EDGES = st.sampled_from([0.1, 0.3, 0.5, 0.7, float("nan")])


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    st.tuples(st.integers(0, 2**63), st.integers(0, 2**64 - 1), NS, NS, NS),
    st.tuples(st.integers(-1, 300), st.floats(0, 1, width=32), st.integers(-1, 300), st.integers(0, 6)),
    st.integers(0, 15),
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=9),
)
def test_its_record_is_that_of_a_batch_of_one(fact, said, reason, probabilities):
    facts = np.array([fact], FACTS)
    verdict = Verdict(*said, reason)
    verdicts = Verdicts(
        *(np.array([v], d) for v, d in zip(verdict, ("i2", "f4", "i2", "u1", "u1"), strict=True)),
    )
    row = np.array([probabilities], np.float32)
    rows = classified_rows(facts, verdicts, row)
    rows["bundle"] = 3
    now = 1_000_000_000
    assert entry_of_one(facts, verdict, row, 3, now).tobytes() == entries_of(rows, len(probabilities), now).tobytes()


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.one_of(NS, st.just(2**63 - 1)), st.integers(0, 2**62))
def test_its_slack_is_that_of_a_batch_of_one(deadline, now):
    assert slack_us_one(deadline, now) == slack_us(np.array([deadline]), now)[0]


@settings(derandomize=True, deadline=None, max_examples=400)
@given(
    st.lists(st.floats(0, 1, width=32) | EDGES, min_size=3, max_size=3),
    st.sampled_from(GATES),
    st.sampled_from([0.0, 0.5, 0.9]),
    st.booleans(),
    st.booleans(),
)
def test_its_verdict_is_that_of_a_cell_among_others(row, sections, bar, late, armed):
    gates, cells = Gates(sections, SPEC), np.array([row, row], np.float32)
    alone = decide_one(cells[:1], late, gates, min_confidence=bar, armed=armed)
    together = decide(cells, np.array([not late] * 2), gates, min_confidence=bar, armed=armed)
    assert np.array_equal([float(value) for value in alone], [float(value[0]) for value in together], equal_nan=True)
