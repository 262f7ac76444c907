"""The pycuda item's batches through the engine's own lane, on the stand-in: the answers that it checks are right."""

import ctypes
import math

import numpy as np
import pytest

from bench.gpu import _pycuda as item
from bench.gpu._rows import Setting, read_rows
from engines.tensorrt._device import Gpu
from tests.support.trt_stand_in.cuda_graphs import RecordingDriver
from tests.support.trt_stand_in.install import standing_in


@pytest.fixture
def machine(monkeypatch, tmp_path):
    with standing_in(monkeypatch, tmp_path / "cache") as found:
        yield found


def kernel_on(machine, stream, spoil=0.0):
    """Return what launches the kernel's arithmetic on the stand-in's stream."""
    frame = math.prod(item.FRAME)

    def launch(cells, frames, answers, width):
        def halve():
            counts = machine.view(frames, cells * frame * 2).view(np.uint16).reshape(cells, frame)
            out = machine.view(answers, cells * width * 4).view(np.float32).reshape(cells, width)
            out[...] = counts[:, :width] * np.float32(0.5) + np.float32(spoil)

        machine.streams[stream.handle].put(halve)

    return launch


@pytest.mark.parametrize("spoil", [0.0, 1.0])
def test_every_rung_is_right_call_by_call_and_recorded(machine, tmp_path, spoil):
    gpu = Gpu(0)
    setting = Setting("cuda", False, tmp_path / "rows")
    with gpu:
        network = item.Network(len(item.LADDER))
        lane = item.lane_around(gpu, network)
        network.launch = kernel_on(machine, lane.stream, spoil)
        item.try_rungs(lane, "call by call", setting, seconds=0.01)
        lane.record(RecordingDriver())
        before = machine.launched
        item.try_rungs(lane, "CUDA graph", setting, seconds=0.01)
        assert machine.launched > before
        lane.close()
    rows = read_rows(setting.rows)
    right = [row for row in rows if "right" in row.case]
    assert len(right) == 2 * len(item.LADDER)
    assert {row.value for row in right} == {0.0 if spoil else 1.0}
    assert sum(row.unit == "µs" for row in rows) == len(right)


def test_the_kernels_text_is_what_a_driver_takes():
    text = item.PTX.decode("ascii")
    assert text.lstrip().startswith(".version") and ".visible .entry halve(" in text
    assert ctypes.c_char_p(item.PTX).value == item.PTX  # no NUL inside: the driver reads up to one


def test_a_dry_run_skips_it(tmp_path):
    from bench.gpu._rows import Skip

    with pytest.raises(Skip):
        item.pycuda(Setting("cpu", True, tmp_path / "rows"))
