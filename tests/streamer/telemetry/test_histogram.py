"""Histograms count what numpy counts, edges inclusive above, however the values come in."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.telemetry import Histogram, Meters, log_edges

EDGES = (-1.0, 0.0, 0.5, 2.0, 1000.0)
VALUES = st.lists(st.one_of(st.sampled_from(EDGES), st.floats(-1e6, 1e6)), max_size=40)
CHECKED = settings(derandomize=True, deadline=None, max_examples=100)


def count(values):
    """Return the counts by definition: the first bucket whose upper edge is not below the value."""
    bounds = [-np.inf, *EDGES, np.inf]
    return [sum(low < value <= high for value in values) for low, high in pairwise(bounds)]


@CHECKED
@given(VALUES, st.sampled_from([np.float64, np.float32]))
def test_many_values_are_counted_by_their_edges(values, dtype):
    array = np.array(values, dtype)
    histogram = Histogram(EDGES)
    histogram.add_many(array)
    data = histogram.data()
    assert data.edges == EDGES
    assert list(data.counts) == count(array.astype(float).tolist())
    assert data.sum == pytest.approx(float(array.astype(np.float64).sum()), rel=1e-4, abs=1e-2)


@CHECKED
@given(VALUES, st.integers(1, 7))
def test_values_one_by_one_and_in_portions_give_the_same(values, portion):
    single, many = Histogram(EDGES), Histogram(EDGES)
    for value in values:
        single.add(value)
    for first in range(0, len(values), portion):
        many.add_many(np.array(values[first : first + portion]))
    assert single.data().counts == many.data().counts
    assert single.data().sum == pytest.approx(many.data().sum, rel=1e-9, abs=1e-6)


def test_a_value_on_an_edge_belongs_below_it():
    histogram = Histogram([1.0, 2.0])
    for value in (1.0, np.nextafter(1.0, 2), 2.0, np.nextafter(2.0, 3)):
        histogram.add(value)
    assert histogram.data().counts == (1, 2, 1)


def test_what_was_counted_does_not_change_what_was_read():
    histogram = Histogram([1.0])
    histogram.add(0.5)
    before = histogram.data()
    histogram.add(0.5)
    assert before.counts == (1, 0)
    assert histogram.data().counts == (2, 0)


def test_log_edges_ascend_from_low_to_high():
    edges = log_edges(1e-5, 10.0, 12)
    assert (edges[0], edges[-1], len(edges)) == (1e-5, 10.0, 73)
    ratios = np.array(edges[1:]) / edges[:-1]
    assert np.allclose(ratios, 10 ** (1 / 12), rtol=0.01)


class TestMeters:
    def test_the_names_are_those_of_the_snapshot(self):
        assert list(Meters().data()) == [
            "latency_from_arrival_seconds",
            "latency_from_trigger_seconds",
            "deadline_slack_seconds",
            "batch_size_cells",
            "queue_depth_cells",
            "engine_seconds",
        ]

    def test_every_histogram_has_ascending_edges_and_starts_empty(self):
        for data in Meters().data().values():
            assert list(data.edges) == sorted(set(data.edges))
            assert len(data.counts) == len(data.edges) + 1
            assert sum(data.counts) == 0
            assert data.sum == 0

    def test_decided_cells_count_their_latencies_in_seconds(self):
        meters = Meters()
        now = 5_000_000_000
        arrival = np.array([now - 1_000_000, now - 2_000_000])
        meters.decided(now, arrival, arrival - 3_000_000, np.array([now + 4_000_000, now - 1_000_000]))
        data = meters.data()
        assert data["latency_from_arrival_seconds"].sum == pytest.approx(0.003)
        assert data["latency_from_trigger_seconds"].sum == pytest.approx(0.009)
        slack = data["deadline_slack_seconds"]
        assert slack.sum == pytest.approx(0.003)
        below_zero = sum(slack.counts[: slack.edges.index(0.0) + 1])
        assert (below_zero, sum(slack.counts)) == (1, 2)

    def test_without_deadlines_there_is_no_slack(self):
        meters = Meters()
        meters.decided(10, np.array([5]), np.array([1]), None)
        data = meters.data()
        assert sum(data["deadline_slack_seconds"].counts) == 0
        assert sum(data["latency_from_arrival_seconds"].counts) == 1

    def test_a_batch_counts_its_size_the_queue_and_its_time(self):
        meters = Meters()
        meters.batch(32, 0, 0.25)
        meters.batch(1, 7, 0.5)
        data = meters.data()
        assert (data["batch_size_cells"].sum, sum(data["batch_size_cells"].counts)) == (33, 2)
        assert (data["queue_depth_cells"].sum, data["queue_depth_cells"].counts[0]) == (7, 1)
        assert data["engine_seconds"].sum == 0.75
