"""Every kind of region against one cell at a time in exact arithmetic, its boundary included."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engines.backends import Predictions
from engines.errors import InputError
from streamer.config import Bound, Ellipsoid, GateSection, Polygon, check_gates
from streamer.decision import Gates, Spec

SPEC = Spec(("A", "B"), 2, ("bf:x", "bf:y", "bf:z"))
CHECKED = settings(derandomize=True, deadline=None, max_examples=150)
WHOLE = st.integers(0, 8)
GRID = np.array(list(product(np.arange(-2, 21) / 2, repeat=2)))


def cells(points):
    """Return cells whose measurements x and y are these points."""
    points = np.asarray(points, np.float32)
    n = len(points)
    measurements = np.zeros((n, 3), np.float32)
    measurements[:, : points.shape[1]] = points
    return Predictions(np.full((n, 2), 0.5, np.float32), np.zeros((n, 2), np.float32), measurements, 0.0)


def members(gates, points):
    check_gates(gates, "test")
    return Gates(gates, SPEC).member(cells(points))


def in_polygon(corners, x, y):
    """Even-odd rule, edges inside."""
    odd = False
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        cross = (x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)
        if cross == 0 and min(x0, x1) <= x <= max(x0, x1) and min(y0, y1) <= y <= max(y0, y1):
            return True
        if (y0 > y) != (y1 > y) and x < x0 + Fraction((y - y0) * (x1 - x0)) / (y1 - y0):
            odd = not odd
    return odd


@CHECKED
@given(st.lists(st.tuples(WHOLE, WHOLE), min_size=3, max_size=7))
def test_a_polygon_holds_its_inside_and_its_edges(corners):
    gates = [GateSection("p", "left", polygon=Polygon("bf:x", "bf:y", tuple(corners)))]
    try:
        check_gates(gates, "test")
    except InputError:
        assume(False)
    expected = [in_polygon(corners, Fraction(x), Fraction(y)) for x, y in GRID]
    assert members(gates, GRID)[:, 0].tolist() == expected


@CHECKED
@given(st.tuples(WHOLE, WHOLE), st.integers(1, 6), st.integers(1, 6), st.integers(-5, 5), st.integers(1, 30))
def test_an_ellipse_holds_its_inside_and_its_edge(mean, a, d, b, distance):
    assume(a * d > b * b)
    gates = [GateSection("e", "left", ellipsoid=Ellipsoid(("bf:x", "bf:y"), mean, ((a, b), (b, d)), float(distance)))]
    found = members(gates, GRID)[:, 0]
    for (x, y), inside in zip(GRID, found, strict=True):
        u, v = Fraction(x) - mean[0], Fraction(y) - mean[1]
        squared = (d * u * u - 2 * b * u * v + a * v * v) / (a * d - b * b)
        # The inverse of a matrix is rounded: within that of the edge either answer will do.
        if abs(squared - distance) > Fraction(1, 10**12) * distance:
            assert inside == (squared < distance)


def test_the_edge_of_an_ellipsoid_is_inside():
    sphere = Ellipsoid(("bf:x", "bf:y", "bf:z"), (1.0, 0.0, 0.0), ((4.0, 0, 0), (0, 1.0, 0), (0, 0, 0.25)), 4.0)
    gates = [GateSection("e", "left", ellipsoid=sphere)]
    points = [[5, 0, 0], [-3, 0, 0], [1, 2, 0], [1, 0, -1], [5.001, 0, 0], [1, 2.001, 0], [1, 0, -1.001]]
    assert members(gates, points)[:, 0].tolist() == [True] * 4 + [False] * 3


@CHECKED
@given(
    st.lists(st.tuples(st.sampled_from(["bf:x", "bf:y"]), WHOLE, st.integers(1, 8), st.booleans()), max_size=2),
    st.lists(st.tuples(WHOLE, WHOLE), min_size=1, max_size=20),
)
def test_a_box_over_measurements_has_its_lower_bound_inside_and_its_upper_outside(spans, points):
    where = {name: Bound(float(low), None if open_ else float(low + wide)) for name, low, wide, open_ in spans}
    assume(where)
    found = members([GateSection("b", "left", where)], points)[:, 0]
    for point, inside in zip(points, found, strict=True):
        values = dict(zip(("bf:x", "bf:y"), point, strict=True))
        assert inside == all(b.min <= values[k] and (b.max is None or values[k] < b.max) for k, b in where.items())


NAMES = tuple("abcdef")


@st.composite
def families(draw):
    """Gates that rest on earlier ones; then shuffled, since the order of the file is free."""
    gates = []
    for i, name in enumerate(NAMES):
        earlier = NAMES[:i]
        parent = draw(st.sampled_from([None, *earlier]))
        way = draw(st.sampled_from([None, "left", "right"]))
        extra = {"parent": parent, "priority": draw(st.integers(-1, 1))}
        kind = draw(st.sampled_from(["where", "all_of", "any_of", "none_of"] if i >= 2 else ["where"]))
        if kind == "where":
            dimension = draw(st.sampled_from(["bf:x", "bf:y"]))
            gates.append(GateSection(name, way, {dimension: Bound(float(draw(WHOLE)))}, **extra))
        else:
            signs = st.just("") if kind == "none_of" else st.sampled_from(["", "!"])
            parts = [draw(signs) + part for part in draw(st.lists(st.sampled_from(earlier), min_size=2, max_size=3))]
            if kind == "all_of":
                parts[0] = parts[0].removeprefix("!")
            gates.append(GateSection(name, way, **{kind: tuple(parts)}, **extra))
    return draw(st.permutations(gates))


def holds(name, gates, point):
    """Return whether a gate holds a point by its definition, and whether everything it rests on is a number."""
    section = gates[name]
    known = True
    if section.where is not None:
        ((dimension, bound),) = section.where.items()
        value = point[("bf:x", "bf:y").index(dimension)]
        known, inside = bool(np.isfinite(value)), value >= bound.min
    else:
        answers = []
        for operand in section.operands:
            part, part_known = holds(operand.removeprefix("!"), gates, point)
            known &= part_known
            complement = operand.startswith("!") or section.none_of is not None
            answers.append((not part and part_known) if complement else part)
        inside = any(answers) if section.any_of is not None else all(answers)
    if section.parent is not None:
        parent, parent_known = holds(section.parent, gates, point)
        inside, known = inside and parent, known and parent_known
    return inside, known


@CHECKED
@given(families(), st.lists(st.tuples(*[st.sampled_from([*range(9), np.nan])] * 2), min_size=1, max_size=8))
def test_booleans_and_parents_hold_what_their_definition_says(sections, points):
    compiled = Gates(sections, SPEC)
    check_gates(sections, "test")
    found = compiled.member(cells(points))
    assigned = compiled.assign(cells(points))
    by_name = {section.name: section for section in sections}
    ranked = sorted((s for s in sections if s.way is not None), key=lambda s: -s.priority)
    for i, point in enumerate(points):
        expected = {name: holds(name, by_name, point)[0] for name in NAMES}
        assert dict(zip(compiled.names, found[i].tolist(), strict=True)) == expected
        first = next((compiled.names.index(s.name) for s in ranked if expected[s.name]), -1)
        assert assigned[i] == first


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_measurement_that_is_no_finite_number_is_in_no_region_and_no_complement(value):
    xy = ("bf:x", "bf:y")
    gates = [
        GateSection("box", "left", {"bf:x": Bound(None, 5.0)}),
        GateSection("open", "left", {"bf:x": Bound(0.0)}),
        GateSection("polygon", "left", polygon=Polygon(*xy, ((-9, -9), (9, -9), (9, 9), (-9, 9)))),
        GateSection("ellipse", "left", ellipsoid=Ellipsoid(xy, (0.0, 0.0), ((1.0, 0.0), (0.0, 1.0)), 100.0)),
        GateSection("not box", "left", none_of=("box",)),
        GateSection("not polygon", "left", any_of=("!polygon", "!ellipse")),
    ]
    assert not members(gates, [[value, 0], [value, value]]).any()
    assert members(gates, [[0, 0]])[0].tolist() == [True, True, True, True, False, False]
    assert members(gates, [[0, value]])[0, 2:4].tolist() == [False, False]


@pytest.mark.parametrize(
    ("gates", "complaint"),
    [
        ([GateSection("a", "left", {"A": Bound(0.5)}, parent="b")], "gate a: parent: found b, expected the name"),
        ([GateSection("a", "left", all_of=("b", "!c"))], "gate a: all_of: found b, expected the name"),
        ([GateSection("a", "left", none_of=("a",))], "gate a: none_of: found cycle a > a"),
        (
            [
                GateSection("a", None, {"A": Bound(0.5)}, parent="c"),
                GateSection("b", None, any_of=("a", "!a")),
                GateSection("c", "left", {"A": Bound(0.5)}, parent="b"),
            ],
            "cycle a > c > b > a",
        ),
    ],
)
def test_gates_that_rest_on_nothing_or_on_themselves_are_refused(gates, complaint):
    with pytest.raises(InputError, match=complaint):
        Gates(gates, SPEC)


def test_a_long_chain_of_parents_is_no_trouble():
    chain = [GateSection("g0", None, {"A": Bound(0.25)})]
    chain += [GateSection(f"g{i}", None, {"B": Bound(0.25)}, parent=f"g{i - 1}") for i in range(1, 999)]
    chain.append(GateSection("last", "left", {"B": Bound(0.5)}, parent="g998"))
    assert Gates(chain[::-1], SPEC).assign(cells([[0, 0]])).tolist() == [0]
