"""Fits: known costs come back, none below zero, and points held out are what the error is of."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.scale import Shape, engine_terms, fit, streaming_terms, work_terms
from engines.errors import InputError

costs = st.sampled_from([0.0, 1e-9, 3e-7, 2e-5, 1e-3])


def points(random, count=24):
    """Return settings as a bench would choose them."""
    found = []
    for _ in range(count):
        shape = Shape(*(int(random.choice(values)) for values in ((1, 2, 4, 12), (32, 64, 128), (32, 64, 128))))
        found.append(streaming_terms(shape, int(random.choice([1, 16, 64]))))
    return [{name: value for name, value in each.items() if name != "per_class"} for each in found]


@settings(max_examples=60, deadline=None)
@given(
    message=costs, cell=st.sampled_from([1e-6, 2e-5]), byte=st.sampled_from([0.0, 1e-10, 3e-9]), seed=st.integers(0, 99)
)
def test_exact_costs_come_back(message, cell, byte, seed):
    features = points(np.random.default_rng(seed))
    terms = {"per_message": message, "per_cell": cell, "per_byte": byte}
    seconds = [sum(terms[name] * value for name, value in each.items()) for each in features]
    found = fit(features, seconds, seed=seed)
    foretold = [found.predict(each) for each in features]
    assert foretold == pytest.approx(seconds, rel=1e-6)
    assert found.points == 24 and found.held_out == 6
    assert found.error_worst < 1e-6


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), noise=st.floats(0.0, 0.5))
def test_no_term_is_below_zero_and_errors_are_those_of_points_left_out(seed, noise):
    random = np.random.default_rng(seed)
    features = points(random)
    seconds = [
        (2e-5 * each["per_message"] + 5e-6 + 3e-10 * each["per_byte"]) * float(np.exp(random.normal(0, noise)))
        for each in features
    ]
    found = fit(features, seconds, seed=seed)
    assert all(value >= 0 for value in found.terms.values())
    assert 0 <= found.error_median <= found.error_worst
    # Left out with the same draw and fitted by hand from the rest, the same errors come.
    order = np.random.default_rng(seed).permutation(24)
    rest = fit([features[i] for i in order[6:]], [seconds[i] for i in order[6:]])
    errors = [abs(rest.predict(features[i]) - seconds[i]) / seconds[i] for i in order[:6]]
    assert found.error_worst == pytest.approx(max(errors), rel=1e-6, abs=1e-12)


def test_a_cost_that_would_be_negative_is_none():
    features = [{"per_cell": 1.0, "per_byte": float(size)} for size in (100, 200, 400, 800)]
    found = fit(features, [10.0, 8.0, 6.0, 4.0])
    assert found.terms["per_byte"] == 0.0 and found.terms["per_cell"] > 0


def test_small_costs_count_as_much_as_large_ones():
    features = [{"per_cell": 1.0, "per_byte": float(size)} for size in (1, 10, 10_000_000, 20_000_000)]
    found = fit(features, [1e-6 + 1e-9 * each["per_byte"] for each in features])
    assert found.terms["per_cell"] == pytest.approx(1e-6, rel=1e-3)


@pytest.mark.parametrize("seconds", [[1.0], [1.0, 0.0, 1.0], [1.0, -1.0, 1.0], [1.0, float("nan"), 1.0]])
def test_too_few_points_and_times_that_are_none_are_refused(seconds):
    features = [{"a": 1.0, "b": float(place)} for place in range(len(seconds))]
    with pytest.raises(InputError, match="scale"):
        fit(features, seconds)


def test_terms_say_what_a_cell_pays_for():
    shape = Shape(3, 10, 20, classes=4, count_bytes=2)
    assert streaming_terms(shape, 16) == {"per_message": 1 / 16, "per_cell": 1, "per_byte": 1200, "per_class": 4}
    assert engine_terms(shape, 8, 1e6) == {
        "per_batch": 1,
        "per_cell": 8,
        "per_byte": 9600,
        "per_multiply_add": 8e6,
    }


@pytest.mark.parametrize("network", ["student-micro", "deepflow"])
def test_a_networks_work_follows_frames_and_classes(network):
    pytest.importorskip("torch")
    from engines.networks import cost, create

    shapes = [Shape(c, s, s, k) for c, s, k in ((1, 32, 2), (2, 64, 7), (4, 64, 3), (3, 96, 12), (12, 64, 5))]
    own = [cost(create(network, s.channels, s.classes, s.height, s.width), *_sides(s)).multiply_adds for s in shapes]
    found = fit([work_terms(shape) for shape in shapes], own)
    asked = Shape(8, 128, 128, 9)
    truth = cost(create(network, 8, 9, 128, 128), 8, 128, 128).multiply_adds
    assert found.predict(work_terms(asked)) == pytest.approx(truth, rel=0.02)


def _sides(shape):
    return shape.channels, shape.height, shape.width
