"""Which cells are recorded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.recorder import Choice
from streamer.vocabulary import Reason

SEQS = np.arange(20_000, dtype=np.uint64)


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.3, 1.0])
def test_a_sample_has_about_its_share(fraction):
    drawn = Choice("sample", fraction, 7).of_seqs(SEQS)
    assert abs(drawn.mean() - fraction) <= 5 * np.sqrt(fraction * (1 - fraction) / len(SEQS))


def test_samples_of_other_seeds_are_others_and_fractions_are_nested():
    one, other = (Choice("sample", 0.3, seed).of_seqs(SEQS) for seed in (1, 2))
    assert abs((one & other).mean() - 0.09) < 0.01
    assert not (Choice("sample", 0.1, 1).of_seqs(SEQS) & ~one).any()


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=20), st.integers(0, 2**62), st.floats(0, 1))
def test_whether_a_cell_is_drawn_does_not_depend_on_its_neighbours(seqs, seed, fraction):
    choice, seqs = Choice("sample", fraction, seed), np.array(seqs, np.uint64)
    alone = [bool(choice.of_seqs(seqs[i : i + 1])[0]) for i in range(len(seqs))]
    assert choice.of_seqs(seqs).tolist() == alone


def test_kept_and_wanted_go_by_the_reason():
    reasons = np.array(list(Reason), np.uint8)
    kept = {Reason(code) for code in reasons[Choice("kept").of(reasons, reasons)]}
    wanted = {Reason(code).label for code in reasons[Choice("wanted").of(reasons, reasons)]}
    assert kept == {Reason.KEPT}
    assert wanted == {"kept", "coincident", "disarmed", "target_reached", "hardware_abort", "rate_limit"}
    assert Choice("all").of(reasons, reasons) is None
