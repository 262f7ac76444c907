"""A lone cell takes a shorter way to its decision: it must end as the long way would have ended."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.decision import Verdict, Verdicts
from streamer.ingest import FACTS
from streamer.loop._entries import entries_of, entry_of_one
from streamer.loop._rows import classified_rows
from streamer.loop._series import slack_us, slack_us_one

NS = st.integers(-(2**62), 2**62)


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
