"""Engines: a bundle compiled for one device, behind one interface."""

from engines.backends._checks import OUTPUTS, Shape, check_frames, check_ladder, check_signature, last_line
from engines.backends._cores import Mode, threads_for
from engines.backends._gpu import no_gpu, no_tensorrt, no_torch_cuda
from engines.backends._interface import DEFAULT_LADDER, Engine, Frames, Predictions
from engines.backends._keep_busy import keep_busy
from engines.backends._ladder_engine import LadderEngine
from engines.backends._lanes import Done, Lane, Outputs, Worker, WorkerLane
from engines.backends._measure_ladder import CANDIDATES, measure_ladder, paying
from engines.backends._multi import MultiEngine, one_per_device
from engines.backends._open import ENGINES, Arithmetic, Choice, Devices, Ladder, choose_engine, open_engine
from engines.backends._unmeasured import without_measurements
from engines.backends._wakeup import Wakeup

__all__ = [
    "CANDIDATES",
    "DEFAULT_LADDER",
    "ENGINES",
    "OUTPUTS",
    "Arithmetic",
    "Choice",
    "Devices",
    "Done",
    "Engine",
    "Frames",
    "Ladder",
    "LadderEngine",
    "Lane",
    "Mode",
    "MultiEngine",
    "Outputs",
    "Predictions",
    "Shape",
    "Wakeup",
    "Worker",
    "WorkerLane",
    "check_frames",
    "check_ladder",
    "check_signature",
    "choose_engine",
    "keep_busy",
    "last_line",
    "measure_ladder",
    "no_gpu",
    "no_tensorrt",
    "no_torch_cuda",
    "one_per_device",
    "open_engine",
    "paying",
    "threads_for",
    "without_measurements",
]
