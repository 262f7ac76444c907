"""The PyTorch engine on an NVIDIA GPU."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from engines.backends import open_engine  # noqa: E402
from engines.bundle import load_bundle, pretrained  # noqa: E402
from engines.errors import EngineError  # noqa: E402
from engines.pytorch import TorchEngine  # noqa: E402
from tests.support.fresh_networks import ask, fresh_bundle, noise, worst  # noqa: E402

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU here")


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("bundle", ["digital", "jurkat"])
@pytest.mark.parametrize(("precision", "limit"), [("fp32", 1e-4), ("fp16", 2e-2)])
def test_shipped_bundles_answer_as_openvino_does(bundle, precision, limit):
    loaded = load_bundle(pretrained(bundle))
    frames = noise(loaded, 32)
    expected = ask(open_engine(loaded, "openvino", ladder=(32,)), frames)
    engine = TorchEngine(loaded, precision=precision, ladder=(1, 8, 32), device="cuda")
    engine.warm()
    for n in (32, 5, 1):
        engine.submit(frames[:n])
        answer = engine.collect(60)
        found = answer.probabilities, answer.embedding, answer.measurements
        assert max(worst(found, [values[:n] for values in expected])) < limit
    engine.close()


@pytest.mark.gpu
@needs_gpu
def test_two_batches_are_under_way_in_throughput_mode(toy_bundle):
    from tests.support.toy import toy_frames

    engine = TorchEngine(toy_bundle, ladder=(1, 4), mode="throughput", device="cuda")
    assert engine.capacity == 2
    engine.submit(toy_frames(np.array([2])))
    engine.submit(toy_frames(np.array([0, 1, 2])))
    assert engine.collect(60).probabilities.argmax(axis=1).tolist() == [2]
    assert engine.collect(60).probabilities.argmax(axis=1).tolist() == [0, 1, 2]
    engine.close()


@pytest.mark.gpu
@needs_gpu
def test_all_sixteen_bits_of_a_count_arrive(tmp_path):
    bundle = fresh_bundle(tmp_path / "b", "student-micro", 20)
    frames = np.full((2, 2, 20, 20), 65_535, np.uint16)
    frames[1] = 32_768
    expected = ask(open_engine(bundle, "openvino", ladder=(2,)), frames)
    found = ask(TorchEngine(bundle, ladder=(2,), device="cuda"), frames)
    assert np.allclose(found[2], expected[2], rtol=1e-4, atol=1e-3)


@pytest.mark.gpu
@needs_gpu
def test_too_little_memory_is_one_line(toy_bundle, monkeypatch):
    def full(*_, **__):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("engines.pytorch._cuda.CudaLane", full)
    with pytest.raises(EngineError, match=r"too little GPU memory: .* MiB are free") as caught:
        TorchEngine(toy_bundle, ladder=(1,), device="cuda")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_said(toy_bundle):
    with pytest.raises(EngineError, match="PyTorch cannot use a GPU"):
        TorchEngine(toy_bundle, ladder=(1,), device="cuda")
