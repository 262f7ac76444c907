"""Scales are the published functions; a bound on a scale is where the scale has it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.backends import Predictions
from streamer.config import Asinh, Bound, GateSection, Linear, Log, Logicle, check_gates
from streamer.decision import Gates, Spec
from streamer.decision._scales import curve_of

SCALES = [
    Linear(1000.0, 100.0),
    Log(10000.0, 5.0),
    Asinh(1000.0, 4.0, 1.0),
    Logicle(1000.0, 1.0, 4.0, 0.0),
    Logicle(262144.0, 0.5, 4.5, 0.0),
    Logicle(1000.0, 1.0, 4.0, 1.0),
    Logicle(1000.0, 0.0, 4.0, 0.0),
    Logicle(1000.0, 1.0, 5.0, -0.5),
]
DATA = np.array([-10.0, -5.0, -1.0, 0.0, 0.3, 1.0, 3.0, 10.0, 100.0, 1000.0])


@pytest.mark.parametrize(
    ("scale", "expected"),
    # The examples of the Gating-ML 2.0 specification, six digits each.
    [
        (
            Logicle(1000.0, 1.0, 4.0, 0.0),
            [0.067574, 0.147986, 0.228752, 0.25, 0.256384, 0.271248, 0.312897, 0.432426, 0.739548, 1.0],
        ),
        (
            Asinh(1000.0, 4.0, 1.0),
            [-0.200009, -0.139829, -0.000856, 0.2, 0.303776, 0.400856, 0.495521, 0.600009, 0.8, 1.0],
        ),
    ],
)
def test_published_values(scale, expected):
    np.testing.assert_allclose(curve_of(scale).forward(DATA), expected, atol=6e-7)


@pytest.mark.parametrize("scale", SCALES, ids=repr)
def test_the_top_of_scale_is_1_and_there_and_back_is_the_same(scale):
    curve = curve_of(scale)
    data = np.geomspace(1e-3, 3 * scale.T, 500)
    if not isinstance(scale, Log):
        data = np.concatenate([-data[::-1], [0.0], data])
    scaled = curve.forward(data)
    assert curve.forward(np.array([scale.T]))[0] == pytest.approx(1, abs=1e-12)
    assert (np.diff(scaled) > 0).all()
    back = np.array([curve.inverse(y) for y in scaled])
    np.testing.assert_allclose(back, data, rtol=1e-9, atol=1e-9 * scale.T)


def biexponential_root(x, scale):
    """Solve B(y) = x by bisection, with the constants written out as in Moore and Parks (2012)."""
    top, width, decades, more = scale.T, scale.W, scale.M, scale.A
    if x < 0:
        return 2 * (more + width) / (decades + more) - biexponential_root(-x, scale)
    w, x2 = width / (decades + more), more / (decades + more)
    x1, x0, b = x2 + w, x2 + 2 * w, (decades + more) * math.log(10)
    d = bisect(lambda d: 2 * (math.log(d) - math.log(b)) + w * (b + d), 1e-300, b)
    c_a = math.exp(x0 * (b + d))
    f_a = math.exp(b * x1) - c_a * math.exp(-d * x1)
    a = top / (math.exp(b) - f_a - c_a * math.exp(-d))
    return bisect(lambda y: a * (math.exp(b * y) - f_a - c_a * math.exp(-d * y)) - x, x1, 2.0)


def bisect(function, low, high):
    for _ in range(300):
        middle = (low + high) / 2
        low, high = (low, middle) if function(middle) >= 0 else (middle, high)
    return high


@pytest.mark.parametrize("scale", [scale for scale in SCALES if isinstance(scale, Logicle)], ids=repr)
def test_logicle_solves_the_published_equation(scale):
    data = np.concatenate([np.linspace(-0.1, 1.2, 40), [0.0, 1e-4, 3.0]]) * scale.T
    expected = [biexponential_root(x, scale) for x in data]
    np.testing.assert_allclose(curve_of(scale).forward(data), expected, rtol=1e-9, atol=1e-12)


SPEC = Spec(("A", "B"), 0, ("bf:x",))


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.sampled_from(SCALES), st.floats(-0.5, 1.2), st.floats(0.01, 1), st.booleans(), st.booleans())
def test_a_box_on_a_scale_holds_what_lies_between_its_bounds_there(scale, low, width, lower, upper):
    bound = Bound(low if lower or not upper else None, low + width if upper else None)
    gates = [GateSection("g", "left", {"bf:x": bound}, scale={"bf:x": scale})]
    check_gates(gates, "test")
    x = np.concatenate([-np.geomspace(1e-3, 1e4, 60), [0.0], np.geomspace(1e-3, 1e6, 60)]).astype(np.float32)
    cells = Predictions(np.full((len(x), 2), 0.5, np.float32), np.zeros((len(x), 0), np.float32), x[:, None], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = curve_of(scale).forward(x.astype(np.float64))
        expected = (y >= (-np.inf if bound.min is None else bound.min)) & (
            y < (np.inf if bound.max is None else bound.max)
        )
        near = np.zeros(len(y), bool)
        for side in (bound.min, bound.max):
            if side is not None:
                near |= np.abs(y - side) < 1e-12
    found = Gates(gates, SPEC).member(cells)[:, 0]
    assert np.array_equal(found[~near], expected[~near])
