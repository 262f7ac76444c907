import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from engines.cells import Cells  # noqa: E402
from engines.errors import InputError  # noqa: E402
from engines.training import Plan, Recipe, train  # noqa: E402
from engines.training._train import _Run  # noqa: E402

PLAN = Plan(
    network="student",
    guide="stain",
    recipe=Recipe(epochs=4, batch=16, ema=0.9, mixup=0.3, dropout=0.2, sampling_power=0.3, blur=1.0, noise=0.05),
    seed=3,
    threads=1,
)


def cells(n=96):
    random = np.random.default_rng(0)
    labels = np.arange(n) % 3
    frames = random.normal(500 + 60 * labels[:, None, None, None], 30, (n, 2, 12, 12)).astype(np.uint16)
    return Cells("mine", frames, ("brightfield", "stain"), ("a", "b", "c"), labels.astype(np.int16))


class Unplugged(BaseException):
    """The lights go out."""


def interrupt_in(epoch, monkeypatch):
    whole = _Run.one_epoch

    def one_epoch(self, seed, report):
        if self.epoch + 1 == epoch:
            raise Unplugged
        return whole(self, seed, report)

    monkeypatch.setattr(_Run, "one_epoch", one_epoch)


def test_interrupted_run_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    whole = train(cells(), out=tmp_path / "whole", plan=PLAN, quiet=True)
    with monkeypatch.context() as patch:
        interrupt_in(3, patch)
        with pytest.raises(Unplugged):
            train(cells(), out=tmp_path / "again", plan=PLAN, quiet=True)
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == ["training.pt"]
    epochs = []
    with monkeypatch.context() as patch:
        real = _Run.one_epoch
        patch.setattr(_Run, "one_epoch", lambda self, *rest: epochs.append(self.epoch + 1) or real(self, *rest))
        again = train(cells(), out=tmp_path / "again", plan=PLAN, resume=True, quiet=True)
    assert epochs == [3, 4]
    assert again.graph().read_bytes() == whole.graph().read_bytes()
    assert not (tmp_path / "again" / "training.pt").exists()


def test_another_runs_checkpoint_is_refused_and_left_alone(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_in(2, patch)
        with pytest.raises(Unplugged):
            train(cells(), out=tmp_path / "b", plan=PLAN, quiet=True)
    other = dataclasses.replace(PLAN, seed=4)
    with pytest.raises(InputError, match="checkpoint: found that of another run, expected the same cells"):
        train(cells(), out=tmp_path / "b", plan=other, resume=True, quiet=True)
    assert (tmp_path / "b" / "training.pt").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"\x80\x04cos\nsystem\n"])
def test_damaged_checkpoint_is_one_line(content, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "training.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"training.pt: checkpoint: .* expected a whole one: remove it to start anew"):
        train(cells(), out=tmp_path / "b", plan=PLAN, resume=True, quiet=True)


def test_early_stop_keeps_the_best_epoch(tmp_path):
    recipe = dataclasses.replace(PLAN.recipe, epochs=40, patience=2, learning_rate=0.3)
    plan = dataclasses.replace(PLAN, recipe=recipe)
    bundle = train(cells(), out=tmp_path / "b", plan=plan, quiet=True)
    training = bundle.manifest.training
    assert training["epochs"] == training["picked_epoch"] + 2 < 40
