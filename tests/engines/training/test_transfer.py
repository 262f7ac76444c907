import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from engines import networks  # noqa: E402
from engines.bundle import load_bundle  # noqa: E402
from engines.cells import Cells  # noqa: E402
from engines.errors import BundleError, InputError  # noqa: E402
from engines.training import Plan, Recipe, train  # noqa: E402
from engines.training._preprocess import fit_scaling, standardise  # noqa: E402
from engines.training._teacher import Teacher  # noqa: E402
from engines.training._weights import start_from  # noqa: E402

MIX = dict.fromkeys("abc", 1 / 3)
PLAN = Plan(network="student", recipe=Recipe(epochs=6, batch=16, ema=0.8), threads=1)


def cells(n=120, classes=("a", "b", "c"), dtype=np.uint16, channels=("brightfield", "darkfield")):
    random = np.random.default_rng(0)
    labels = np.arange(n) % len(classes)
    centre = 100 + 30 * labels[:, None, None, None]
    frames = random.normal(centre, 8, (n, len(channels), 18, 18))
    frames[:, :, 6:12, 6:12] += 10 * labels[:, None, None, None]
    return Cells("mine", frames.clip(0, 255).astype(dtype), channels, classes, labels.astype(np.int16))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return train(cells(), out=tmp_path_factory.mktemp("source") / "source", plan=PLAN, quiet=True)


def test_transfer_keeps_everything_but_the_last_layer(source):
    fresh = networks.create("student", 2, 5, 18, 18)
    head = fresh.head.weight.clone()
    start_from(fresh, "student", source)
    with np.load(source.path / "weights.npz") as kept:
        for name, value in fresh.state_dict().items():
            if not name.startswith("head."):
                assert np.array_equal(value.numpy(), kept[name])
    assert torch.equal(fresh.head.weight, head)


def test_transfer_starts_from_where_the_other_task_ended(source, tmp_path):
    few = cells(30, ("up", "down"))
    recipe = dataclasses.replace(PLAN.recipe, epochs=1, learning_rate=1e-6)
    plan = dataclasses.replace(PLAN, recipe=recipe, init_from=source)
    bundle = train(few, out=tmp_path / "b", plan=plan, quiet=True)
    assert bundle.classes == ("up", "down")
    assert bundle.manifest.training["init_from"] == {"name": "source", "sha256": source.sha256}
    with np.load(source.path / "weights.npz") as theirs, np.load(bundle.path / "weights.npz") as mine:
        kernel = next(name for name in mine.files if mine[name].ndim == 4)
        assert mine[kernel] == pytest.approx(theirs[kernel], abs=1e-4)


@pytest.mark.parametrize(
    ("network", "channels", "message"),
    [
        ("student-wide", 2, "init-from: found a bundle of the network student, expected one of student-wide"),
        ("student", 1, r"init-from: found .* of shape .*, expected .*: as many channels"),
    ],
)
def test_weights_that_do_not_suit_are_refused(source, network, channels, message):
    with pytest.raises(InputError, match=message):
        start_from(networks.create(network, channels, 3, 18, 18), network, source)


def test_bundle_without_or_with_damaged_weights_is_refused(source, tmp_path):
    fresh = networks.create("student", 2, 3, 18, 18)
    bare = dataclasses.replace(source, manifest=dataclass_less_weights(source.manifest))
    with pytest.raises(BundleError, match="weights: found nothing, expected weights: a bundle made by"):
        start_from(fresh, "student", bare)
    for path in source.path.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "weights.npz").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(BundleError, match="sha256"):
        load_bundle(tmp_path)
    with pytest.raises(BundleError, match=r"weights.npz: weights: .* expected a whole .npz"):
        start_from(fresh, "student", dataclasses.replace(source, path=tmp_path))


def dataclass_less_weights(manifest):
    import msgspec

    return msgspec.structs.replace(manifest, weights=None)


def test_student_follows_its_teacher(source, tmp_path):
    unlike = dataclasses.replace(cells(), labels=np.random.default_rng(5).permutation(cells().labels))
    recipe = dataclasses.replace(PLAN.recipe, epochs=30, distil_weight=1.0)
    plan = dataclasses.replace(PLAN, network="student-wide", recipe=recipe, teacher=source)
    student = train(unlike, out=tmp_path / "s", plan=plan, quiet=True)
    # The labels were shuffled: what is learned of the true classes can only come from the teacher.
    found = Teacher.of(student, ("brightfield", "darkfield"), MIX, fit_scaling(cells().frames))
    frames = standardise(cells().frames, found.scaling, 10.0)
    assert (found.probabilities(frames).argmax(1).numpy() == cells().labels).mean() > 0.6
    assert student.manifest.training["teacher"]["name"] == "source"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_teacher_is_asked_about_the_very_counts(dtype, tmp_path):
    data = cells(dtype=dtype)
    bundle = train(data, out=tmp_path / "t", plan=PLAN, quiet=True)
    swapped = ("darkfield", "brightfield")
    scaling = fit_scaling(data.select(swapped))
    teacher = Teacher.of(bundle, swapped, {"c": 1 / 3, "a": 1 / 3, "b": 1 / 3}, scaling)
    found = teacher.probabilities(standardise(data.select(swapped), scaling, 1e6)).numpy()
    straight = Teacher.of(bundle, data.channels, MIX, fit_scaling(data.frames))
    expected = straight.compiled(data.frames)["probabilities"]
    assert found[:, [1, 2, 0]] == pytest.approx(np.array(expected), abs=2e-2)


def test_teacher_of_other_cells_is_refused(source):
    scaling = fit_scaling(cells().frames)
    with pytest.raises(
        InputError, match="teacher: found channels brightfield, darkfield, expected some of brightfield"
    ):
        Teacher.of(source, ("brightfield",), MIX, scaling)
    with pytest.raises(InputError, match="teacher: found classes a, b, c, expected a, b"):
        Teacher.of(source, ("brightfield", "darkfield"), {"a": 0.5, "b": 0.5}, scaling)
