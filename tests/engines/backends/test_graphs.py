"""A graph that is not what its manifest says is refused before the first cell."""

import onnx
import pytest
from onnx import TensorProto, helper

from engines.backends import open_engine
from engines.bundle import InputSpec, OutputSpec, write_bundle
from engines.errors import BundleError, EngineError
from tests.support.toy import CHANNELS, CLASSES


def rewrite(toy, path, *, graph=None, inputs=None, outputs=None, classes=CLASSES):
    """Write a bundle around the toy's graph (or another) with a manifest that says something else."""
    return write_bundle(
        path,
        name="other",
        classes=classes,
        inputs=inputs or InputSpec(CHANNELS, "uint16", 8, 8),
        outputs=outputs or OutputSpec(2, ("a", "b")),
        graphs={"fp32": (toy.graph().read_bytes() if graph is None else graph, 18)},
    )


def test_the_toy_graph_with_its_own_manifest_is_taken(toy_bundle, named, tmp_path):
    open_engine(rewrite(toy_bundle, tmp_path / "b"), named, threads=1, ladder=(1,)).close()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"inputs": InputSpec(CHANNELS, "uint8", 8, 8)}, "input dtype"),
        ({"inputs": InputSpec(CHANNELS, "float32", 8, 8)}, "input dtype"),
        ({"classes": ("a", "b")}, "probabilities"),
        ({"classes": ("a", "b", "c", "d")}, "probabilities"),
        ({"outputs": OutputSpec(3, ("a", "b"))}, "embedding"),
        ({"outputs": OutputSpec(2, ("a",))}, "measurements"),
        ({"outputs": OutputSpec(2, ())}, "measurements"),
    ],
)
def test_a_manifest_that_disagrees_with_the_graph_is_refused(toy_bundle, named, tmp_path, changes, field):
    bundle = rewrite(toy_bundle, tmp_path / "b", **changes)
    with pytest.raises(BundleError) as caught:
        open_engine(bundle, named, threads=1, ladder=(1,))
    assert caught.value.field == field
    assert caught.value.source == str(bundle.graph())


@pytest.mark.parametrize(
    "inputs",
    [
        InputSpec((*CHANNELS, "third"), "uint16", 8, 8),
        InputSpec(CHANNELS[:1], "uint16", 8, 8),
        InputSpec(CHANNELS, "uint16", 9, 8),
        InputSpec(CHANNELS, "uint16", 8, 16),
    ],
    ids=["channels+1", "channels-1", "height", "width"],
)
def test_a_graph_for_frames_of_another_shape_is_refused(toy_bundle, named, tmp_path, inputs):
    bundle = rewrite(toy_bundle, tmp_path / "b", inputs=inputs)
    with pytest.raises((BundleError, EngineError)):
        open_engine(bundle, named, threads=1, ladder=(1,))


@pytest.mark.parametrize("output", ["probabilities", "embedding", "measurements"])
def test_a_missing_output_is_named(toy_bundle, named, tmp_path, output):
    model = onnx.load(toy_bundle.graph())
    kept = [value for value in model.graph.output if value.name != output]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    with pytest.raises(BundleError, match=f"outputs: .*expected .*{output}"):
        open_engine(rewrite(toy_bundle, tmp_path / "b", graph=model.SerializeToString()), named, threads=1, ladder=(1,))


def test_a_second_input_is_refused(toy_bundle, named, tmp_path):
    model = onnx.load(toy_bundle.graph())
    model.graph.input.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, ["n"]))
    with pytest.raises(BundleError, match="inputs: found 2, expected one input"):
        open_engine(rewrite(toy_bundle, tmp_path / "b", graph=model.SerializeToString()), named, threads=1, ladder=(1,))


@pytest.mark.parametrize("graph", [b"", b"no graph at all", b"\x08\x07" * 50])
def test_bytes_that_are_no_graph_are_one_line(toy_bundle, named, tmp_path, graph):
    with pytest.raises((BundleError, EngineError)) as caught:
        open_engine(rewrite(toy_bundle, tmp_path / "b", graph=graph), named, threads=1, ladder=(1,))
    assert len(str(caught.value).splitlines()) == 1


def test_a_graph_of_an_operator_nobody_knows_is_an_engine_error(toy_bundle, named, tmp_path):
    model = onnx.load(toy_bundle.graph())
    model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(EngineError, match="cannot compile") as caught:
        open_engine(rewrite(toy_bundle, tmp_path / "b", graph=model.SerializeToString()), named, threads=1, ladder=(1,))
    assert len(str(caught.value).splitlines()) == 1
