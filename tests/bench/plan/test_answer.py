"""The planner: what binds, whether the rate is met, and what a change brings."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.plan import COPIES, Camera, Costs, Machine, Setup, answer, predict
from bench.scale import Shape
from tests.support.machine_model import engine, model

CAMERA = Camera(Shape(2, 64, 64), 500.0)
FRAME = CAMERA.shape.bytes


def setup(*engines, precision="fp32", cores=4, network="deepflow"):
    found = model(*engines, cores=cores)
    return Setup(found, found.engine(network, precision), cores)


def test_a_slow_engine_binds_and_the_maximum_is_its_own():
    found = answer(CAMERA, setup())
    assert found.prediction.binds == "engine"
    assert found.prediction.maximum == pytest.approx(1000.0)
    assert found.prediction.met(500.0) and not found.prediction.met(1001.0)
    assert found.prediction.headroom(500.0) == pytest.approx(2.0)


def test_with_an_engine_of_no_time_the_loop_binds_and_messages_of_more_cells_help():
    found = answer(CAMERA, setup(engine("quick", "fp32", per_cell_s=1e-9), network="quick"))
    loop = 20e-6 + 5e-6 + 0.25e-9 * FRAME + 1e-6  # a message, a cell, its bytes, its share of a batch
    assert found.prediction.binds == found.prediction.mostly == "ingest"
    assert found.prediction.maximum == pytest.approx(1 / loop)
    best = found.changes[0]
    assert best.what.startswith("64 cells per message")
    assert best.maximum == pytest.approx(1 / (loop - 20e-6 * (1 - 1 / 64)))


def test_a_narrow_link_binds_whatever_the_machine():
    camera = msgspec.structs.replace(CAMERA, link_bytes_per_s=1e6)
    found = answer(camera, setup())
    assert found.prediction.binds == "link"
    assert found.prediction.maximum == pytest.approx(1e6 / FRAME)


def test_memory_that_copies_slowly_binds():
    found = predict(Costs(0, 0, 0, 0, 0, 0), Machine(4, 1e9), 100_000)
    assert found.binds == "bandwidth" and found.maximum == pytest.approx(1e9 / (COPIES * 100_000))
    assert set(found.limits) == {"bandwidth"}  # what costs nothing sets no limit, and JSON has no infinity


def test_too_few_cores_bind_and_it_says_what_they_are_busy_with():
    busy = engine("wide", "fp32", per_cell_s=1e-4, threads=8)
    found = answer(CAMERA, setup(busy, network="wide", cores=2))
    assert found.prediction.binds == "cores" and found.prediction.mostly == "engine"
    more = [change for change in found.changes if change.what.endswith("cores")]
    assert more and more[0].maximum > found.prediction.maximum


def test_an_engine_that_meets_the_rate_is_named():
    camera = msgspec.structs.replace(CAMERA, rate=3000.0)
    found = answer(camera, setup())
    assert not found.prediction.met(3000.0)
    (int8,) = [change for change in found.changes if change.what == "deepflow in int8"]
    assert int8.maximum == pytest.approx(5000.0)


def test_a_smaller_frame_is_the_largest_that_leaves_room():
    camera = msgspec.structs.replace(CAMERA, rate=1500.0)
    found = answer(camera, setup())
    (smaller,) = [change for change in found.changes if change.what.startswith("frames of")]
    # The engine takes 1 ms at 64×64 and is to take 1/(1500·1.25) s: 46.7 pixels, the next multiple of 8 below is 40.
    assert smaller.what == "frames of 40×40 pixels"
    assert smaller.maximum == pytest.approx(1000 * (64 / 40) ** 2)


def test_changes_bring_more_and_the_most_comes_first():
    for camera in (CAMERA, msgspec.structs.replace(CAMERA, sender_here=True, rate=9000.0)):
        found = answer(camera, setup(cores=1))
        maxima = [change.maximum for change in found.changes]
        assert maxima == sorted(maxima, reverse=True)
        assert all(maximum > found.prediction.maximum for maximum in maxima)


def test_figures_are_json_and_agree_with_the_prediction():
    figures = msgspec.json.decode(msgspec.json.encode(answer(CAMERA, setup()).figures()))
    assert figures["maximum_cells_per_s"] == min(figures["limits_cells_per_s"].values())
    assert figures["limits_cells_per_s"][figures["binds"]] == figures["maximum_cells_per_s"]
    assert figures["met"] is True and figures["headroom"] == 2.0
    assert figures["bytes_per_s"] == FRAME * 500


seconds = st.floats(1e-7, 1e-2)


@given(st.lists(seconds, min_size=6, max_size=6), st.integers(1, 64), st.integers(0, 5), st.floats(1.0, 10.0))
def test_a_dearer_cell_never_raises_the_maximum_and_a_core_more_never_lowers_it(parts, cores, which, times):
    before = predict(Costs(*parts), Machine(cores, 1e10), 1000)
    parts[which] *= times
    after = predict(Costs(*parts), Machine(cores, 1e10), 1000)
    assert after.maximum <= before.maximum
    assert before.maximum == min(before.limits.values()) == before.limits[before.binds]
    assert predict(Costs(*parts), Machine(cores + 1, 1e10), 1000).maximum >= after.maximum
