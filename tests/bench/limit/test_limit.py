"""The limits: what is measured, and the arithmetic of shares. Never how quick it was."""

import json
import math

import pytest

from bench.limit import ARITHMETICS, Peaks, Reach, copy_rate, measure_peaks, multiply_adds, share_of_peak
from engines.bundle import load_bundle, pretrained


@pytest.fixture(scope="module")
def peaks():
    """Made up: a tenth as quick per thread as all of eight cores together."""

    def reaches(ops, threads):
        return {name: Reach(ops * (place + 1), "case", "kernel", threads) for place, name in enumerate(ARITHMETICS)}

    return Peaks(reaches(1e11, 1), reaches(1e12, 8), 1e10, 2e10, 8)


def test_small_sizes_give_every_limit_of_one_thread_and_of_all():
    found = measure_peaks(0.02, tiny=True)
    for reaches in (found.one_thread, found.all_cores):
        assert set(reaches) == {"fp32", "bf16", "int8"}
        for reach in reaches.values():
            assert math.isfinite(reach.ops_per_s) and reach.ops_per_s > 0
            assert reach.kernel != "unknown" and ("products" in reach.case or "convolutions" in reach.case)
    assert found.all_cores["fp32"].threads == found.cores
    assert found.copy_one_thread_bytes_per_s > 0 and found.copy_all_cores_bytes_per_s > 0


@pytest.mark.parametrize("threads", [1, 3])
def test_a_copy_copies_all_of_it_whatever_the_number_of_threads(threads):
    assert copy_rate(threads, 0.0, size=1000) > 0


def test_a_share_is_two_operations_per_multiply_add_over_the_peak_of_as_many_threads(peaks):
    bundle = load_bundle(pretrained("digital"))
    work = multiply_adds(bundle)
    for precision, threads, peak in (("fp32", 1, 1e11), ("fp32", 3, 3e11), ("fp32", 8, 1e12), ("int8", 1, 3e11)):
        found = share_of_peak(bundle, "openvino 1 CPU fp32", precision, 1000.0, threads=threads, peaks=peaks)
        assert found["multiply_adds_per_cell"] == work
        assert found["ops_per_s"] == 2000.0 * work
        assert found["peak_ops_per_s"] == pytest.approx(peak)
        assert found["share_of_peak"] == pytest.approx(2000.0 * work / peak)


def test_the_command_writes_limits_and_the_engines_share(cellgate, tmp_path):
    done = cellgate("bench", "limit", "--tiny", "--seconds", "0.05", "--json", "l.json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads((tmp_path / "l.json").read_text())
    assert found["bench"] == "limit" and found["tiny"] is True and "environment" in found
    assert set(found["cpu"]) == {
        "one_thread",
        "all_cores",
        "copy_one_thread_bytes_per_s",
        "copy_all_cores_bytes_per_s",
        "cores",
    }
    (result,) = found["results"]
    assert result["bundle"] == "digital" and result["engine_cells_per_s"] > 0
    assert result["share_of_peak"] == pytest.approx(result["ops_per_s"] / result["peak_ops_per_s"])


def test_a_time_of_nothing_is_refused_in_one_line(cellgate):
    done = cellgate("bench", "limit", "--seconds", "0")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "cellgate: bench: --seconds: found 0.0, expected 0.05 to 3600\n"
