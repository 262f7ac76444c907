"""Each bench, short, on real processes: what it returns has the keys others read, and its accounts add up."""

from importlib.util import find_spec

import pytest

from bench import latency, overhead, saturation, throughput
from bench.subject import Options, subject_of
from engines.errors import BundleError, InputError

PERCENTILES = {"p50", "p90", "p99", "p999", "max"}


@pytest.fixture
def options(toy_bundle):
    return Options(bundle=str(toy_bundle.path), ladder=(1, 4), seconds=0.2)


def told(text):
    """Take what a bench says it is doing."""
    assert text


def ascending(latency):
    assert set(latency) == PERCENTILES
    return [latency[name] for name in ("p50", "p90", "p99", "p999", "max")] == sorted(latency.values())


def drawn(bench, figures, directory):
    """Draw, where there is something to draw with."""
    if find_spec("matplotlib") is not None:
        files = bench.draw(figures, directory)
        assert {file.suffix for file in files} == {".svg", ".png"}
        assert all(file.stat().st_size > 1000 for file in files)


def test_throughput_has_engine_and_streamer_side_by_side(options, monkeypatch, tmp_path):
    monkeypatch.setattr(throughput, "TURNS", 2)
    found = throughput.measure(options, told, messages=(1, 16))
    assert found["engine_cells_per_s"] > 0
    assert found["engine_all_cores_cells_per_s"] > 0
    flows = found["streamed"]
    assert [(flow["per_message"], flow["frame_shape"]) for flow in flows] == [
        (1, (2, 8, 8)),
        (16, (2, 8, 8)),
        (16, (2, 12, 12)),
    ]
    for flow in flows:
        assert (flow["missing"], flow["account_errors"]) == (0, [])
        assert len(flow["over_engine_by_turn"]) == 2
        assert flow["bytes_per_s"] == pytest.approx(flow["cells_per_s"] * 2 * flow["frame_shape"][1] ** 2 * 2, rel=0.01)
        assert set(flow["cpu_us_per_cell"]) == {"loop", "zmq", "others", "client"}
    best = max(flows[:2], key=lambda flow: flow["cells_per_s"])
    assert found["streamed_cells_per_s"] == best["cells_per_s"]
    assert found["streamed_over_engine"] == best["over_engine"]
    assert found["share_of_peak"] == found["ops_per_s"] / found["peak_ops_per_s"]
    assert found["stages"]["loop_us_per_cell"]["ingest"] > 0
    assert next(table.row_count for table in throughput.tables(found)) == 5
    drawn(throughput, found, tmp_path)


def test_latency_has_percentiles_for_every_transport_and_rate_and_their_parts(options):
    found = latency.measure(options, told, rates=(200.0, 400.0), sort_delay_us=5_000_000)
    rows = found["latency"]
    assert [(row["transport"], row["rate"]) for row in rows] == [(t, r) for t in ("ipc", "tcp") for r in (200.0, 400.0)]
    for row in rows:
        assert row["sent"] == row["decided"] + row["missing"] == int(row["rate"] * options.seconds)
        assert row["sent"] == row["in_time"] + row["missed"]
        assert (row["account_errors"], row["kept_late"], row["missing"]) == ([], 0, 0)
        assert ascending(row["latency_us"])
        assert set(row["parts_us"]) == {"sending", "wait", "engine", "decision", "publish"}
        assert all(ascending(part) for part in row["parts_us"].values())
        # Each cell's parts add up to its whole, so no percentile of a part is above the whole's longest.
        assert all(part["max"] <= row["latency_us"]["max"] + 0.1 for part in row["parts_us"].values())
    assert latency.tables(found)[0].row_count == 4


def test_latency_takes_its_rates_from_the_engine_where_none_are_given(options, monkeypatch):
    asked = []

    def stop(*arguments):
        asked.append(arguments[2])
        return []

    monkeypatch.setattr(latency, "_measure", stop)
    latency.measure(options, told, transports=("ipc",))
    quarter, half, three_quarters = asked[0]
    assert half == pytest.approx(2 * quarter, rel=0.02)
    assert three_quarters == pytest.approx(3 * quarter, rel=0.02)


def test_overhead_stands_beside_the_echo(options, monkeypatch, tmp_path):
    monkeypatch.setattr(overhead, "TURNS", 1)
    monkeypatch.setattr(overhead, "MESSAGES", (1, 64))
    monkeypatch.setattr(overhead, "SHAPES", ((1, 4, 4),))
    monkeypatch.setattr(overhead, "FLOW_RATE", 2000.0)
    found = overhead.measure(options, told, rate=500.0)
    assert found["frame_shape"] == (2, 8, 8)
    compared = found["latency"]["ipc"]
    assert found["p50_ratio"] == compared["p50_ratio"] > 0
    assert found["p99_ratio"] == compared["p99_ratio"] > 0
    assert len(compared["p50_ratio_by_turn"]) == 1
    for name in ("streamer", "echo"):
        assert compared[name]["sent"] == 100
        assert (compared[name]["missing"], compared[name]["account_errors"]) == (0, [])
        assert ascending(compared[name]["latency_us"])
    assert [flow["per_message"] for flow in found["flat_out"]] == [1, 64, 16]
    assert all(flow["missing"] == 0 and not flow["account_errors"] for flow in found["flat_out"])
    assert found["echo_flat_out_cells_per_s"] > 0
    held = compared["processors_held_awake"]
    assert overhead.tables(found)[0].row_count == 3 + held
    if held:
        assert compared["echo_awake"]["sent"] == 100
        assert compared["p50_ratio_to_echo_awake"] > 0
    drawn(overhead, found, tmp_path)


def test_saturation_sweeps_the_rate_for_the_streamer_and_for_loops_written_by_hand(options, tmp_path):
    found = saturation.measure(options, told, shares=(0.05, 1.5), sort_delay_us=3_000_000)
    assert [row["share"] for row in found["sweep"]] == [0.05, 1.5]
    for row in found["sweep"]:
        assert list(row["servers"]) == ["streamer", "fixed batch", "one by one"]
        sent = {server["sent"] for server in row["servers"].values()}
        assert len(sent) == 1, "the same plan for all"
        for server in row["servers"].values():
            assert server["sent"] == server["decided"] + server["missing"] == server["in_time"] + server["missed"]
    assert (found["missing"], found["kept_late"], found["account_errors"]) == (0, 0, [])
    assert found["best_goodput_per_s"] > 0
    assert saturation.tables(found)[0].row_count == 2
    drawn(saturation, found, tmp_path)


def test_a_subject_is_one_thing_that_exists(toy_bundle):
    with pytest.raises(InputError, match="one of them"):
        subject_of(Options(bundle=str(toy_bundle.path), network="student"))
    with pytest.raises(InputError, match="--seconds"):
        subject_of(Options(bundle=str(toy_bundle.path), seconds=0.0))
    with pytest.raises(BundleError):
        subject_of(Options(bundle="no-such-bundle"))
    with pytest.raises(InputError, match="--network: found perceptron, expected compact or"):
        subject_of(Options(network="perceptron"))
