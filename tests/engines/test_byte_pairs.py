import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

onnx = pytest.importorskip("onnx")

from engines.bundle import load_bundle, pretrained  # noqa: E402
from engines.byte_pairs import as_byte_pairs, byte_pairs  # noqa: E402
from engines.cells import open_cells  # noqa: E402
from engines.errors import EngineError  # noqa: E402
from engines.quiet_openvino import ov  # noqa: E402


def compiled(model):
    core = ov.Core()
    return core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def test_bytes_give_the_answers_of_the_counts():
    bundle = load_bundle(pretrained("digital"))
    frames = open_cells("digital:40", seed=3).select(bundle.manifest.input.channels)
    model = bundle.graph().read_bytes()
    rewritten = byte_pairs(model)
    graph = onnx.load_from_string(rewritten).graph
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [output.name for output in graph.output] == ["probabilities", "embedding", "measurements"]
    counts, pairs = compiled(model)(frames), compiled(rewritten)(as_byte_pairs(frames))
    for name in ("probabilities", "embedding", "measurements"):
        assert np.array(pairs[name]) == pytest.approx(np.array(counts[name]), rel=1e-5, abs=1e-5)


@given(arrays(np.uint16, (2, 1, 3, 4), elements=st.integers(0, 65535)))
def test_low_byte_first(frames):
    pairs = as_byte_pairs(frames)
    assert np.array_equal(pairs[..., 0] + 256 * pairs[..., 1].astype(np.int64), frames)


def test_frames_that_do_not_lie_in_one_piece():
    frames = np.arange(48, dtype=np.uint16).reshape(2, 2, 3, 4)[:, :, ::-1].astype(">u2")
    pairs = as_byte_pairs(frames)
    assert np.array_equal(pairs[..., 0], frames)


def graph_of(dtype, first):
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node(first, ["frames"], ["out"], **({"to": 1} if first == "Cast" else {}))
    out = onnx.TensorProto.FLOAT if first == "Cast" else dtype
    graph = onnx.helper.make_graph(
        [node], "g", [value("frames", dtype, ["n", 1, 2, 2])], [value("out", out, ["n", 1, 2, 2])]
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]).SerializeToString()


def test_other_inputs_stay_as_they_are():
    model = graph_of(onnx.TensorProto.UINT8, "Cast")
    assert byte_pairs(model) is model


def test_graph_that_does_not_cast_first_is_refused():
    with pytest.raises(EngineError, match="first step on 'frames' is Identity, not a cast to float32"):
        byte_pairs(graph_of(onnx.TensorProto.UINT16, "Identity"))
