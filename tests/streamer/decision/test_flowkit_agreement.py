"""Gates hold the same events as FlowKit's, for every kind of gate and scale, through our Gating-ML writer.

FlowKit (BSD) is the reference reader of Gating-ML 2.0 in Python; it is not needed to run Cellgate.
"""

import io
import warnings

import numpy as np
import pytest

from engines.backends import Predictions
from streamer.config import (
    Asinh,
    Bound,
    Ellipsoid,
    GateSection,
    Linear,
    Log,
    Logicle,
    Polygon,
    check_gates,
)
from streamer.decision import Gates, Spec, format_gatingml, parse_gatingml

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    flowkit = pytest.importorskip("flowkit")

# What FlowKit and its plotting libraries warn of is theirs to mend.
pytestmark = pytest.mark.filterwarnings("ignore")

EVENTS = 100_000
CLASSES = ("A", "B", "C", "D")
MEASUREMENTS = ("bf:area", "bf:mean", "bf:focus")
XY = ("bf:area", "bf:mean")
CORNERS = ((0, 0), (1000, 100), (500, 900), (250, 250), (100, 700))
SPEC = Spec(CLASSES, 4, MEASUREMENTS)
SCALES = {
    "linear": Linear(2000.0, 100.0),
    "log": Log(10000.0, 5.0),
    "asinh": Asinh(10000.0, 4.0, 1.0),
    "logicle": Logicle(10000.0, 0.5, 4.5, 0.0),
    "logicle with A": Logicle(262144.0, 1.0, 4.5, 0.5),
    "logicle without W": Logicle(10000.0, 0.0, 4.0, 0.0),
}
STAR = tuple(
    (0.5 + r * np.cos(t), 0.5 + r * np.sin(t)) for t, r in zip(np.arange(10) * np.pi / 5, [0.5, 0.2] * 5, strict=True)
)


def gate(name, **fields):
    return GateSection(name, fields.pop("way", None), **fields)


def scaled(name, *dimensions, **fields):
    return [gate(f"{name} {kind}", **fields, scale=dict.fromkeys(dimensions, scale)) for kind, scale in SCALES.items()]


GATES = (
    gate("range", where={"bf:area": Bound(100.0, 900.0)}),
    gate("open below", where={"bf:area": Bound(None, 50.0)}),
    gate("open above", where={"bf:focus": Bound(0.0)}),
    gate("box", where={"bf:area": Bound(0.0, 900.0), "bf:mean": Bound(20.0, 500.0), "embedding[3]": Bound(-1.0, 1.0)}),
    gate("sum", way="left", where={"A+B": Bound(0.5, 0.875)}),
    gate("top", where={"top": Bound(0.5), "margin": Bound(0.25)}),
    gate("class", way="right", classes=("B", "D")),
    gate("polygon", polygon=Polygon(*XY, CORNERS)),
    gate("ellipse", ellipsoid=Ellipsoid(("bf:area", "bf:mean"), (300, 200), ((90000, 20000), (20000, 40000)), 1.5)),
    gate(
        "ellipsoid",
        ellipsoid=Ellipsoid(
            ("embedding[0]", "embedding[1]", "bf:focus"), (0, 0.5, 1), ((1, 0.2, 0), (0.2, 2, 1), (0, 1, 9)), 2.0
        ),
    ),
    *scaled("box", *XY, where={"bf:area": Bound(0.3, 0.8), "bf:mean": Bound(None, 0.7)}),
    *scaled("lower", "bf:area", where={"bf:area": Bound(0.25)}),
    *scaled("star", *XY, polygon=Polygon("bf:area", "bf:mean", STAR)),
    *scaled("ellipse", *XY, ellipsoid=Ellipsoid(("bf:area", "bf:mean"), (0.6, 0.5), ((0.02, 0.01), (0.01, 0.03)), 2.0)),
    gate("child", where={"bf:focus": Bound(0.0)}, parent="polygon"),
    gate("grandchild", way="left", where={"embedding[2]": Bound(None, 0.0)}, parent="child", priority=2),
    gate("and", all_of=("sum", "!ellipse", "child")),
    gate("or", any_of=("top", "!child", "class"), parent="range"),
    gate("not", none_of=("grandchild",)),
    gate("none", none_of=("class", "child", "range")),
    gate("of booleans", way="right", any_of=("and", "none"), parent="not"),
)


def on_edge(measurements):
    """Tell which events lie in line with an edge of the polygon; exact for whole numbers."""
    x, y = measurements[:, 0].astype(float), measurements[:, 1].astype(float)
    lines = np.zeros(len(x), bool)
    for (x0, y0), (x1, y1) in zip(CORNERS, CORNERS[1:] + CORNERS[:1], strict=True):
        lines |= (x1 - x0) * (y - y0) == (y1 - y0) * (x - x0)
    return lines


@pytest.fixture(scope="module")
def events():
    rng = np.random.default_rng(5)
    probabilities = rng.dirichlet(np.full(4, 0.5), EVENTS).astype(np.float32)
    # Half of them on a coarse grid, so that many lie exactly on the bounds of boxes.
    probabilities[::2] = np.round(probabilities[::2] * 16) / 16
    sign = rng.choice([1, 1, 1, -1], (EVENTS, 3))
    measurements = (rng.lognormal(5, 1.5, (EVENTS, 3)) * sign).astype(np.float32)
    measurements[::3] = np.round(measurements[::3])
    # FlowKit's documentation counts the edges of a polygon as inside, its code only some of them: see the last test.
    measurements[on_edge(measurements), 0] += np.float32(0.25)
    assert not on_edge(measurements).any()
    embedding = np.round(rng.normal(size=(EVENTS, 4)) * 8).astype(np.float32) / 8
    return Predictions(probabilities, embedding, measurements, 0.0)


def columns(cells):
    """Return the features by name, worked out one by one."""
    p = cells.probabilities
    ordered = np.sort(p, axis=1)
    return {
        "A+B": p[:, 0] + p[:, 1],
        "top": ordered[:, -1],
        "margin": ordered[:, -1] - ordered[:, -2],
        "class[B+D]": np.isin(p.argmax(axis=1), (1, 3)).astype(np.float32),
        **{name: cells.measurements[:, m] for m, name in enumerate(MEASUREMENTS)},
        **{f"embedding[{e}]": cells.embedding[:, e] for e in range(4)},
    }


def flowkit_membership(document, cells):
    """Return FlowKit's answer for each gate of a Gating-ML document, by the gate's id there."""
    table = columns(cells)
    data = np.column_stack(list(table.values())).astype(np.float64)
    sample = flowkit.Sample(data, sample_id="cells", channel_labels=list(table))
    strategy = flowkit.parse_gating_xml(io.BytesIO(document))
    results = strategy.gate_sample(sample)
    return {name: results.get_gate_membership(name, path) for name, path in strategy.get_gate_ids()}


def test_every_gate_holds_the_events_that_flowkit_says(events):
    check_gates(GATES, "test")
    document = format_gatingml(GATES)
    theirs = flowkit_membership(document, events)
    ours = Gates(parse_gatingml(document), SPEC).member(events)
    assert len(theirs) == len(GATES)
    different = {}
    for g, section in enumerate(GATES):
        held = theirs[section.name.replace(" ", "_x0020_")]
        assert 0 < held.sum() < EVENTS, f"{section.name} tells nothing"
        if (count := int((held != ours[:, g]).sum())) > 0:
            different[section.name] = count
    assert different == {}


def test_the_document_is_valid_by_the_schema_of_the_standard():
    from flowkit._resources import gml_schema
    from lxml import etree

    assert gml_schema.validate(etree.parse(io.BytesIO(format_gatingml(GATES)))), gml_schema.error_log


QUADRANTS = b"""<?xml version="1.0"?>
<gating:Gating-ML xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating"
  xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"
  xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations">
  <transforms:transformation transforms:id="T">
    <transforms:fasinh transforms:T="10000" transforms:M="4" transforms:A="1"/></transforms:transformation>
  <gating:RectangleGate gating:id="P"><gating:dimension gating:compensation-ref="uncompensated" gating:min="0">
    <data-type:fcs-dimension data-type:name="bf:focus"/></gating:dimension></gating:RectangleGate>
  <gating:QuadrantGate gating:id="Q" gating:parent_id="P">
    <gating:divider gating:id="X" gating:compensation-ref="uncompensated">
      <data-type:fcs-dimension data-type:name="bf:area"/>
      <gating:value>50</gating:value><gating:value>300</gating:value></gating:divider>
    <gating:divider gating:id="Y" gating:compensation-ref="FCS" gating:transformation-ref="T">
      <data-type:fcs-dimension data-type:name="bf:mean"/><gating:value>0.5</gating:value></gating:divider>
    <gating:Quadrant gating:id="low"><gating:position gating:divider_ref="X" gating:location="10"/>
      <gating:position gating:divider_ref="Y" gating:location="0.1"/></gating:Quadrant>
    <gating:Quadrant gating:id="mid"><gating:position gating:divider_ref="X" gating:location="100"/>
      <gating:position gating:divider_ref="Y" gating:location="0.6"/></gating:Quadrant>
    <gating:Quadrant gating:id="right"><gating:position gating:divider_ref="X" gating:location="301"/>
    </gating:Quadrant>
  </gating:QuadrantGate>
</gating:Gating-ML>"""


def test_quadrants_are_those_of_flowkit(events):
    gates = parse_gatingml(QUADRANTS)
    ours = Gates(gates, SPEC).member(events)
    table = columns(events)
    data = np.column_stack(list(table.values())).astype(np.float64)
    strategy = flowkit.parse_gating_xml(io.BytesIO(QUADRANTS))
    results = strategy.gate_sample(flowkit.Sample(data, sample_id="cells", channel_labels=list(table)))
    for g, section in enumerate(gates):
        path = ("root",) if section.parent is None else ("root", "P", "Q")
        held = results.get_gate_membership(section.name, path)
        assert 0 < held.sum() < EVENTS
        assert np.array_equal(held, ours[:, g]), section.name


@pytest.mark.parametrize("kind", ["logicle", "logicle with A", "logicle without W"])
def test_logicle_is_that_of_flowkit(kind):
    from flowutils.transforms import logicle

    from streamer.decision._scales import curve_of

    scale = SCALES[kind]
    x = np.concatenate([np.linspace(-scale.T / 5, scale.T * 1.05, 50_000), np.geomspace(1e-6, scale.T, 50_000), [0.0]])
    theirs = logicle(x, None, t=scale.T, m=scale.M, w=scale.W, a=scale.A)
    np.testing.assert_allclose(curve_of(scale).forward(x), theirs, rtol=1e-9, atol=1e-12)


def test_only_on_the_edges_of_a_polygon_do_the_two_part():
    """The standard and FlowKit's documentation have edges inside; FlowKit's winding count leaves out some of them."""
    from flowutils.gating import points_in_polygon

    side = ((0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0))
    grid = np.stack(np.meshgrid(np.arange(-1, 6), np.arange(-1, 6)), -1).reshape(-1, 2).astype(float)
    theirs = points_in_polygon(np.array(side), grid)
    spec = Spec(CLASSES, 0, MEASUREMENTS)
    cells = Predictions(
        np.zeros((len(grid), 4), np.float32),
        np.zeros((len(grid), 0), np.float32),
        np.column_stack([grid, grid[:, 0]]).astype(np.float32),
        0.0,
    )
    ours = Gates([gate("square", polygon=Polygon(*XY, side))], spec).member(cells)[:, 0]
    closed = ((grid >= 0) & (grid <= 4)).all(axis=1)
    edge = closed & ((grid == 0) | (grid == 4)).any(axis=1)
    assert np.array_equal(ours, closed)
    assert np.array_equal(theirs[~edge], ours[~edge])
