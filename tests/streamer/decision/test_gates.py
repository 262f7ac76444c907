"""Gates of a whole batch at once, held against one cell and one gate at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import InputError
from streamer.config import Bound, GateSection
from streamer.decision import Gates

CLASSES = ("A", "B", "C", "D")
# Sixteenths and their sums are exact in float32: brute force and matrix product agree to the last bit.
SIXTEENTHS = st.integers(0, 16).map(lambda k: k / 16)


def gate(name, way, **where):
    return GateSection(name, way, {key.replace("_", "+"): Bound(*bound) for key, bound in where.items()})


def assigned(gates, *rows):
    return gates.assign(np.array(rows, np.float32)).tolist()


@st.composite
def bounds(draw):
    low, high = sorted((draw(SIXTEENTHS), draw(SIXTEENTHS)))
    return Bound(draw(st.sampled_from([None, low])), draw(st.sampled_from([None, high])))


KEYS = st.lists(st.sampled_from(CLASSES), min_size=1, max_size=4, unique=True).map("+".join)
SECTIONS = st.lists(
    st.builds(
        GateSection,
        st.sampled_from(["g", "h", "i"]),
        st.sampled_from(["left", "right", "waste"]),
        st.dictionaries(KEYS, bounds(), min_size=1, max_size=3),
    ),
    max_size=5,
)
ROWS = st.lists(st.lists(SIXTEENTHS, min_size=4, max_size=4), max_size=8)


def holds(section, row):
    for key, bound in section.where.items():
        total = sum(row[CLASSES.index(name)] for name in key.split("+"))
        if (bound.min is not None and total < bound.min) or (bound.max is not None and total >= bound.max):
            return False
    return True


@settings(derandomize=True, deadline=None, max_examples=300)
@given(SECTIONS, ROWS)
def test_a_cell_belongs_to_the_first_gate_that_holds_it(sections, rows):
    gates = Gates(sections, CLASSES)
    found = gates.assign(np.array(rows, np.float32).reshape(-1, 4))
    expected = [next((g for g, section in enumerate(sections) if holds(section, row)), -1) for row in rows]
    assert found.dtype == np.int16
    assert found.tolist() == expected
    ways = [gates.ways[gates.way_of[g]] for g in expected]
    assert ways == ["waste" if g < 0 else sections[g].way for g in expected]


@pytest.mark.parametrize("bound", [0.1, 0.25, 0.3, 1 / 3, 0.5, 0.7, 0.9])
def test_the_lower_bound_is_inside_and_the_upper_outside(bound):
    """At the float32 nearest to the bound itself, and one step to either side."""
    at = np.float32(bound)
    below, above = np.nextafter(at, np.float32(0)), np.nextafter(at, np.float32(1))
    rows = [[value, 0, 0, 0] for value in (below, at, above)]
    assert assigned(Gates([gate("g", "left", A=(bound, None))], CLASSES), *rows) == [-1, 0, 0]
    assert assigned(Gates([gate("g", "left", A=(None, bound))], CLASSES), *rows) == [0, -1, -1]


def test_probabilities_of_0_and_1_at_the_ends():
    assert assigned(Gates([gate("g", "left", A=(0.0, None))], CLASSES), [0, 1, 0, 0]) == [0]
    assert assigned(Gates([gate("g", "left", A=(1.0, None))], CLASSES), [1, 0, 0, 0]) == [0]
    assert assigned(Gates([gate("g", "left", A=(0.0, 1.0))], CLASSES), [1, 0, 0, 0], [0.5, 0.5, 0, 0]) == [-1, 0]


def test_a_sum_of_classes_may_pass_where_none_does_alone():
    gates = Gates([gate("g", "left", A_B=(0.5, None))], CLASSES)
    assert assigned(gates, [0.25, 0.25, 0.5, 0], [0.25, 0.125, 0.5, 0.125], [0, 0, 1, 0]) == [0, -1, -1]


def test_spaces_around_the_names_of_a_sum_do_not_matter():
    section = GateSection("g", "left", {" A + B ": Bound(0.5)})
    assert assigned(Gates([section], CLASSES), [0.25, 0.25, 0.5, 0]) == [0]


def test_every_dimension_must_hold():
    gates = Gates([gate("g", "left", A=(0.25, None), B=(None, 0.25))], CLASSES)
    assert assigned(gates, [0.5, 0, 0.5, 0], [0.5, 0.5, 0, 0], [0, 0, 1, 0]) == [0, -1, -1]


def test_a_nan_is_in_no_gate():
    gates = Gates([gate("g", "left", A=(None, 0.5)), gate("h", "left", B=(0.0, None))], CLASSES)
    for position in range(4):
        row = [0.25, 0.25, 0.25, 0.25]
        row[position] = np.nan
        assert assigned(gates, row, [0.25] * 4) == [-1, 0]


def test_without_gates_no_cell_is_in_one():
    gates = Gates([], CLASSES)
    assert assigned(gates, [1, 0, 0, 0], [0, 1, 0, 0]) == [-1, -1]
    assert (gates.names, gates.ways, gates.way_of.tolist()) == ((), ("waste",), [0])


def test_ways_are_numbered_from_waste_in_the_order_of_the_gates():
    sections = [gate(n, way, A=(0.5, None)) for n, way in zip("abcd", ["right", "waste", "left", "right"], strict=True)]
    gates = Gates(sections, CLASSES)
    assert gates.names == ("a", "b", "c", "d")
    assert gates.ways == ("waste", "right", "left")
    assert gates.way_of.tolist() == [1, 0, 2, 1, 0]


def test_six_ways_are_taken_and_seven_are_not():
    six = [gate(f"g{i}", f"tube {i}", A=(0.5, None)) for i in range(6)]
    waste = gate("w", "waste", B=(0.5, None))
    assert len(Gates([*six, waste], CLASSES).ways) == 7
    with pytest.raises(InputError, match="at most 6 ways"):
        Gates([*six, waste, gate("one more", "tube 6", C=(0.5, None))], CLASSES)


@pytest.mark.parametrize("key", ["E", "A+E", "a", "", "A+", "A B", "A,B"])
def test_a_class_the_bundle_does_not_have_is_named(key):
    with pytest.raises(InputError, match=r"gate g: where: found .*, expected one of A, B, C, D"):
        Gates([GateSection("g", "left", {key: Bound(0.5)})], CLASSES)
