import json
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import active_children

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from engines.cells import Cells
from engines.crossval import Asked, Scheme, crossval
from engines.crossval import _run as runner
from engines.training import Plan, Recipe

PLAN = Plan(network="student", recipe=Recipe(epochs=3, batch=16, ema=0.8), threads=1)


def cells(n=90):
    random = np.random.default_rng(0)
    labels = np.arange(n) % 3
    frames = random.normal(500 + 200 * labels[:, None, None, None], 20, (n, 1, 12, 12)).astype(np.uint16)
    groups = np.array([f"day {k}" for k in range(5)])[np.arange(n) // 3 % 5]
    return Cells("mine", frames, ("brightfield",), ("a", "b", "c"), labels.astype(np.int16), groups)


def test_every_cell_is_answered_for_once_and_the_figures_are_of_all(tmp_path):
    found = crossval(cells(), out=tmp_path, scheme=Scheme(count=3, keep_groups=False), plan=PLAN, quiet=True)
    tested = np.concatenate([np.load(path)["cells"] for path in tmp_path.glob("fold-*.npz")])
    assert np.array_equal(np.sort(tested), np.arange(90))
    assert found["pooled"]["cells"] == 90
    assert np.array(found["pooled"]["confusion"]).sum() == 90
    accuracies = [trial["accuracy"] for trial in found["trials"]]
    assert found["mean"]["accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    assert found["mean"]["accuracy"]["sd"] == pytest.approx(np.std(accuracies, ddof=1))
    assert json.loads(json.dumps(found)) == found
    assert not list(tmp_path.glob("*.pt"))


def test_interrupted_cross_validation_goes_on_where_it_was(tmp_path, monkeypatch):
    scheme = Scheme(count=3, keep_groups=False)
    whole = crossval(cells(), out=tmp_path / "a", scheme=scheme, plan=PLAN, quiet=True)
    real, asked = runner.answer, []

    def answer(labelled, trial, *rest):
        asked.append(trial.name)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return real(labelled, trial, *rest)

    monkeypatch.setattr(runner, "answer", answer)
    with pytest.raises(KeyboardInterrupt):
        crossval(cells(), out=tmp_path / "b", scheme=scheme, plan=PLAN, quiet=True)
    again = crossval(cells(), out=tmp_path / "b", scheme=scheme, plan=PLAN, quiet=True)
    assert asked == ["fold-1", "fold-2", "fold-2", "fold-3"]
    assert again == whole


def test_jobs_give_what_one_process_gives(tmp_path):
    scheme = Scheme(count=2, keep_groups=False)
    one = crossval(cells(60), out=tmp_path / "a", scheme=scheme, plan=PLAN, quiet=True)
    two = crossval(cells(60), out=tmp_path / "b", scheme=scheme, plan=PLAN, jobs=2, quiet=True)
    assert two == one


def test_interrupted_jobs_end_at_once(tmp_path, monkeypatch):
    @contextmanager
    def interrupted(_count, _done, *, quiet):
        def show(_name, _share):
            raise KeyboardInterrupt

        yield show

    monkeypatch.setattr(runner, "_progress", interrupted)
    endless = replace(PLAN, recipe=Recipe(epochs=1_000_000, batch=16))
    scheme = Scheme(count=3, keep_groups=False)
    with pytest.raises(KeyboardInterrupt):
        crossval(cells(60), out=tmp_path, scheme=scheme, plan=endless, jobs=2, quiet=True)
    assert not active_children()


def test_groups_are_left_out_one_by_one(tmp_path):
    found = crossval(cells(), out=tmp_path, scheme=Scheme("groups"), plan=PLAN, quiet=True)
    assert [trial["test"] for trial in found["trials"]] == [18] * 5
    for path in tmp_path.glob("group-*.npz"):
        assert len(set(cells().groups[np.load(path)["cells"]])) == 1


def test_learning_curve_trains_on_less_and_tests_on_the_same(tmp_path):
    scheme = Scheme("repeats", 2, fractions=(0.25, 1.0), keep_groups=False)
    found = crossval(cells(), out=tmp_path, scheme=scheme, plan=PLAN, quiet=True)
    assert [step["fraction"] for step in found["learning_curve"]] == [0.25, 1.0]
    assert [trial["train"] for trial in found["trials"]] == [63, 63, 15, 15]
    assert [trial["test"] for trial in found["trials"]] == [18] * 4
    assert found["pooled"]["cells"] == 36


def test_cells_per_class_leave_nothing_for_validation(tmp_path):
    scheme = Scheme("repeats", 1, per_class=(4, 10), keep_groups=False)
    found = crossval(cells(), out=tmp_path, scheme=scheme, plan=PLAN, quiet=True)
    assert [(trial["train"], trial["validation"], trial["test"]) for trial in found["trials"]] == [
        (30, 0, 18),
        (12, 0, 18),
    ]


def test_symmetries_are_compared_on_one_training(tmp_path):
    scheme = Scheme(count=2, keep_groups=False)
    found = crossval(cells(60), out=tmp_path, scheme=scheme, plan=PLAN, symmetries=(1, 8), quiet=True)
    kept = np.load(tmp_path / "fold-1.npz")["probabilities"]
    assert kept.shape == (2, 30, 3)
    assert set(found["by_symmetries"]) == {"1", "8"}
    assert found["by_symmetries"]["1"]["nll"] == found["pooled"]["nll"]
    assert not np.array_equal(kept[0], kept[1])


def test_classical_baseline_in_the_same_frame(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("skimage")
    plan = Plan(network="classical")
    scheme = Scheme(count=3, keep_groups=False)
    asked = Asked({"a": 2, "b": 1, "c": 1}, {"bright": ("b", "c")})
    found = crossval(cells(), out=tmp_path, scheme=scheme, plan=plan, asked=asked, quiet=True)
    assert found["pooled"]["accuracy"] > 0.9
    assert found["pooled"]["merged"]["figures"]["classes"] == ["a", "bright"]
    assert found["pooled"]["at_class_mix"] is not None
