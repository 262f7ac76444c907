"""The measuring itself, as short as can be: every point costs something, and the fit can be planned with."""

import json

import pytest

from bench.scale import Shape, fit_engine, fit_streaming, measure_bundle, measure_streaming, read_model
from engines.bundle import load_bundle, pretrained


def test_the_streamer_is_measured_without_a_cell_lost():
    points = measure_streaming(Shape(1, 16, 16, classes=4), (1, 16), 0.02)
    assert [point.per_message for point in points] == [1, 16]
    for point in points:
        assert point.cells >= 400 and point.cells_per_s > 0
        assert point.loop_s > 0 and point.transport_s > 0 and point.sender_s > 0


def test_a_shipped_bundle_is_measured_at_every_batch():
    bundle = load_bundle(pretrained("digital"))
    name, points = measure_bundle(bundle, engine="openvino", precision="int8", threads=1, seconds=0.02)
    assert "openvino" in name and "int8" in name
    assert [point.batch for point in points] == [1, 8, 32]
    found = fit_engine("student", name, "int8", points)
    shape = points[0].shape
    assert (shape.channels, shape.height, shape.width) == bundle.frame_shape
    assert all(seconds >= 0 for seconds in found.costs(shape))


def test_points_of_one_number_of_classes_have_no_term_for_it():
    from bench.scale import StreamingPoint

    points = [
        StreamingPoint(Shape(1, side, side), n, 9, 1e-5 / n + side**2 * 1e-9, 1e-6, 1e-6)
        for side in (16, 64)
        for n in (1, 64)
    ]
    assert set(fit_streaming(points).loop.terms) == {"per_message", "per_cell", "per_byte"}


@pytest.mark.slow
def test_the_command_writes_what_plan_reads(cellgate, tmp_path):
    pytest.importorskip("torch")
    options = ("--quick", "--network", "student-micro", "--precision", "fp32", "--seconds", "0.25")
    done = cellgate("bench", "scale", *options, "--json", "s.json")
    assert (done.returncode, done.stderr) == (0, "")
    found = read_model(tmp_path / "s.json")
    assert [(each.network, each.precision) for each in found.engines] == [("student-micro", "fp32")]
    measured = json.loads((tmp_path / "s.json").read_text())["measured"]
    assert len(measured["streaming"]) == 6 and len(measured["rates"]) == 1
    planned = cellgate(
        *("bench", "plan", "--channels", "2", "--size", "64", "--rate", "10"),
        *("--network", "student-micro", "--fit", "s.json", "--json", "p.json"),
    )
    assert (planned.returncode, planned.stderr) == (0, "")
    assert json.loads((tmp_path / "p.json").read_text())["maximum_cells_per_s"] > 0


@pytest.mark.slow
def test_a_plan_measures_here_and_checks_itself(cellgate, tmp_path):
    done = cellgate(
        *("bench", "plan", "--bundle", "digital", "--rate", "10", "--per-message", "4"),
        *("--seconds", "0.1", "--check", "--json", "p.json"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads((tmp_path / "p.json").read_text())
    assert found["fit"] == "measured here" and found["precision"] == "fp32"
    assert any(change["change"] == "digital in int8" for change in found["changes"]) or found["changes"]
    assert set(found["check"]) == {"predicted_cells_per_s", "measured_cells_per_s", "predicted_over_measured"}
    assert found["check"]["measured_cells_per_s"] > 0
