import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from engines import networks  # noqa: E402
from engines.cells import Cells  # noqa: E402
from engines.training import Plan, Recipe, train  # noqa: E402
from engines.training._ensemble import Ensemble  # noqa: E402
from engines.training._parity import run  # noqa: E402
from engines.training._train import _Run  # noqa: E402

PLAN = Plan(network="student", recipe=Recipe(epochs=2, batch=16, ema=0.8, members=3), threads=1, seed=2)


def cells(n=96):
    random = np.random.default_rng(0)
    labels = np.arange(n) % 3
    frames = random.normal(500 + 60 * labels[:, None, None, None], 30, (n, 1, 12, 12)).astype(np.uint16)
    return Cells("mine", frames, ("brightfield",), ("a", "b", "c"), labels.astype(np.int16))


def test_ensemble_answers_the_mean_of_its_members():
    torch.manual_seed(0)
    members = [networks.create("student", 1, 3, 12, 12).eval() for _ in range(3)]
    frames = torch.randn(5, 1, 12, 12)
    with torch.inference_mode():
        expected = torch.stack([member(frames)[0] for member in members]).mean(dim=0)
        beside = torch.cat([member(frames)[1] for member in members], dim=1)
    ensemble = Ensemble(members).eval()
    with torch.inference_mode():
        logits, embedding = ensemble(frames)
    assert torch.allclose(logits, expected, atol=1e-5)
    assert torch.equal(embedding, beside)
    assert ensemble.embedding == embedding.shape[1]


def test_members_differ_and_are_exported_as_one_graph(tmp_path):
    bundle = train(cells(), out=tmp_path / "b", plan=PLAN, quiet=True)
    assert bundle.manifest.outputs.embedding == 3 * 16
    assert len(bundle.manifest.training["picked_epochs"]) == 3
    embedding = run(bundle.graph().read_bytes(), cells(8).frames)["embedding"].reshape(8, 3, 16)
    assert not np.allclose(embedding[:, 0], embedding[:, 1])
    assert not np.allclose(embedding[:, 1], embedding[:, 2])
    assert bundle.manifest.metrics["parity"]["max_probability_error"] < 1e-5


def test_first_member_is_what_would_be_trained_alone(tmp_path):
    bundle = train(cells(), out=tmp_path / "b", plan=PLAN, quiet=True)
    alone = dataclasses.replace(PLAN, recipe=dataclasses.replace(PLAN.recipe, members=1))
    single = train(cells(), out=tmp_path / "s", plan=alone, quiet=True)
    frames = cells(8).frames
    first = run(bundle.graph().read_bytes(), frames)["embedding"][:, :16]
    assert first == pytest.approx(run(single.graph().read_bytes(), frames)["embedding"], abs=1e-5)


def test_interrupted_ensemble_goes_on_with_the_member_it_was_at(tmp_path, monkeypatch):
    whole = train(cells(), out=tmp_path / "whole", plan=PLAN, quiet=True)
    real, count = _Run.one_epoch, []

    def one_epoch(self, *rest):
        count.append(self.epoch + 1)
        if len(count) == 4:
            raise KeyboardInterrupt
        return real(self, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(_Run, "one_epoch", one_epoch)
        with pytest.raises(KeyboardInterrupt):
            train(cells(), out=tmp_path / "again", plan=PLAN, quiet=True)
        again = train(cells(), out=tmp_path / "again", plan=PLAN, resume=True, quiet=True)
    assert count == [1, 2, 1, 2, 2, 1, 2]
    assert again.graph().read_bytes() == whole.graph().read_bytes()
    assert not list((tmp_path / "again").glob("training*"))
