"""Multiply-adds are counted in the graph, and agree with what the networks count of themselves."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.limit import multiply_adds
from engines.bundle import InputSpec, OutputSpec, write_bundle


def bundle_of(path, nodes, weights, shape, widths):
    """Write a bundle around nodes that make `out` of `x`."""
    outputs = ("probabilities", "embedding", "measurements")
    nodes = [*nodes, *(helper.make_node("Identity", ["out"], [name]) for name in outputs)]
    graph = helper.make_graph(
        [helper.make_node("Cast", ["frames"], ["x"], to=TensorProto.FLOAT), *nodes],
        "g",
        [helper.make_tensor_value_info("frames", TensorProto.UINT16, ["n", *shape])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", widths]) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    channels, height, width = shape
    return write_bundle(
        path,
        name="counted",
        classes=tuple(f"k{i}" for i in range(widths)),
        inputs=InputSpec(tuple(f"c{i}" for i in range(channels)), "uint16", height, width),
        outputs=OutputSpec(widths, tuple(f"m{i}" for i in range(widths))),
        graphs={"fp32": (model.SerializeToString(), 18)},
    )


def test_convolutions_groups_and_products_by_hand(tmp_path):
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["a", "grouped"], ["b"], strides=[2, 2], pads=[1, 1, 1, 1], group=4),
        helper.make_node("GlobalAveragePool", ["b"], ["c"]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("MatMul", ["d", "last"], ["out"]),
    ]
    random = np.random.default_rng(0)
    shapes = {"first": (8, 2, 3, 3), "grouped": (12, 2, 3, 3), "last": (12, 5)}
    weights = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    bundle = bundle_of(tmp_path / "b", nodes, weights, (2, 10, 6), 5)
    first = 10 * 6 * 8 * 2 * 9
    grouped = 5 * 3 * 12 * 2 * 9  # each of four groups makes three maps of its own two
    assert multiply_adds(bundle) == first + grouped + 12 * 5


def test_a_graph_without_products_has_none(toy_bundle):
    assert multiply_adds(toy_bundle) == 0


@pytest.mark.parametrize("network", ["student-micro", "student-deep"])
def test_networks_count_the_same_of_themselves(tmp_path, network):
    pytest.importorskip("torch")
    from engines.networks import cost, create
    from tests.support.fresh_networks import fresh_bundle

    own = cost(create(network, 2, 3, 24, 24), 2, 24, 24).multiply_adds
    found = multiply_adds(fresh_bundle(tmp_path / network, network, 24))
    # Beside the network the graph has the distances behind unfamiliarity and the sums behind the measurements.
    assert own < found < own + 500 * 24 * 24
