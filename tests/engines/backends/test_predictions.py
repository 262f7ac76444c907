"""Every embedded engine answers what the graph says, for every size of batch, in full FP32."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engines.backends import open_engine
from engines.bundle import InputSpec, OutputSpec, write_bundle
from tests.support.toy import CLASSES, LEVELS, toy_frames, write_toy_bundle

TOP = 8


def predict(engine, frames):
    engine.submit(frames)
    predictions = engine.collect(timeout_s=30)
    assert predictions is not None
    return predictions


def formula(frames):
    """Return probabilities and means of the toy bundle, in float64."""
    means = frames.astype(np.float64).mean(axis=(2, 3))
    logits = -1e-4 * (means[:, :1] - np.array(LEVELS)) ** 2
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True), means


def ambiguous_frames(n, dtype="uint16"):
    """Frames whose mean lies about halfway between two levels, where probabilities are neither 0 nor 1."""
    rng = np.random.default_rng(n)
    means = np.where(np.arange(n) % 2, 550, 2000) + rng.integers(-12, 12, n)
    noise = rng.integers(-40, 40, (n, 2, 8, 8))
    return (means[:, None, None, None] + noise).astype(dtype)


@pytest.mark.parametrize("n", range(1, TOP + 1))
def test_every_batch_size_gives_the_formula(engine, n):
    frames = ambiguous_frames(n)
    predictions = predict(engine, frames)
    probabilities, means = formula(frames)
    assert predictions.probabilities.shape == (n, len(CLASSES))
    assert predictions.probabilities.dtype == predictions.embedding.dtype == np.float32
    assert np.allclose(predictions.probabilities, probabilities, rtol=0, atol=2e-3)
    assert np.allclose(predictions.probabilities.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(predictions.embedding, means, rtol=1e-6)
    assert np.allclose(predictions.measurements, means, rtol=1e-6)
    assert predictions.seconds > 0


def test_ambiguous_frames_are_ambiguous():
    """So that the comparison above sees more than zeros and ones."""
    probabilities, _ = formula(ambiguous_frames(TOP))
    assert ((probabilities > 1e-3) & (probabilities < 1 - 1e-3)).any(axis=1).mean() > 0.5


@pytest.mark.parametrize("n", [1, 3, 5, 7, 8])
def test_the_order_of_cells_in_a_batch_is_kept(engine, n):
    classes = np.arange(n) % 3
    predictions = predict(engine, toy_frames(classes).copy())
    assert predictions.probabilities.argmax(axis=1).tolist() == classes.tolist()
    assert (predictions.probabilities.max(axis=1) > 0.99).all()


def test_a_cell_gets_the_same_answer_alone_and_in_company(engine):
    frames = ambiguous_frames(7)
    together = predict(engine, frames)
    for i in range(7):
        alone = predict(engine, frames[i : i + 1])
        assert np.allclose(alone.probabilities[0], together.probabilities[i], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_dtype_is_taken_as_it_is(tmp_path, named, dtype):
    bundle = write_toy_bundle(tmp_path / "toy", dtype=dtype)
    engine = open_engine(bundle, named, threads=1, ladder=(4,))
    frames = np.random.default_rng(1).integers(0, 255, (3, 2, 8, 8)).astype(dtype)
    if dtype == "float32":
        frames *= 3.7
    predictions = predict(engine, frames)
    engine.close()
    assert np.allclose(predictions.embedding, frames.astype(np.float64).mean(axis=(2, 3)), rtol=1e-6)


def test_the_arithmetic_is_fp32_also_where_the_processor_offers_less(tmp_path, named):
    """A product of 64 terms around 1000: bfloat16, with its 8 bits, would be off by one in 300."""
    weights = (1000 + np.random.default_rng(0).normal(0, 100, (64, 3))).astype(np.float32) / 1000
    nodes = [
        helper.make_node("Flatten", ["frames"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["product"]),
        helper.make_node("Softmax", ["product"], ["probabilities"], axis=1),
        helper.make_node("Identity", ["product"], ["embedding"]),
        helper.make_node("Identity", ["product"], ["measurements"]),
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3])
        for name in ("probabilities", "embedding", "measurements")
    ]
    taken = helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["n", 1, 8, 8])
    graph = helper.make_graph(nodes, "product", [taken], outputs, [numpy_helper.from_array(weights, "weights")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    bundle = write_bundle(
        tmp_path / "product",
        name="product",
        classes=CLASSES,
        inputs=InputSpec(("bf",), "float32", 8, 8),
        outputs=OutputSpec(3, ("a", "b", "c")),
        graphs={"fp32": (model.SerializeToString(), 18)},
    )
    engine = open_engine(bundle, named, threads=1, ladder=(1, 32))
    frames = (1000 + np.random.default_rng(1).normal(0, 30, (32, 1, 8, 8))).astype(np.float32)
    exact = frames.reshape(32, 64).astype(np.float64) @ weights.astype(np.float64)
    batch = predict(engine, frames)
    single = predict(engine, frames[:1])
    engine.close()
    assert np.allclose(batch.embedding, exact, rtol=1e-6)
    assert np.allclose(single.embedding, exact[:1], rtol=1e-6)
