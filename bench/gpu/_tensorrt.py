"""Item: TensorRT, where its libraries are: build the shipped bundles, verify them, measure them."""

from __future__ import annotations

from contextlib import closing
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from bench.fresh import fresh_network
from bench.gpu._networks import RUNGS, measure
from bench.gpu._rows import Setting, Skip
from bench.limit import measure_gpu_peaks
from engines.backends import open_engine
from engines.bundle import Bundle, load_bundle, pretrained
from engines.cells import open_cells
from engines.fit import fit_frames
from engines.tensorrt import TrtPrecision, build_plan
from engines.verify import compare

CELLS = 2000
PRECISIONS: tuple[TrtPrecision, ...] = ("fp16", "fp32")


def tensorrt(setting: Setting) -> None:
    """Build in FP32 and FP16, compare with the FP32 reference on rendered cells, and time each rung."""
    if setting.dry:
        raise Skip("needs a GPU")
    for module in ("tensorrt", "pycuda"):
        if find_spec(module) is None:
            raise Skip(f"{module} is not installed")
    peak = measure_gpu_peaks(3.0).bf16_ops_per_s
    digital = load_bundle(pretrained("digital"))
    for bundle in (digital, fresh_network("deepflow")):
        for precision in PRECISIONS:
            _one(bundle, precision, setting, peak)
    verdict = compare(digital, _frames(digital), engine="tensorrt")
    setting.add("digital", "tensorrt fp32: changed classes", 100 * verdict.changed_share, "%")
    setting.add("digital", "tensorrt fp32: largest probability error", verdict.max_probability_error, "")
    setting.add("digital", "tensorrt fp32: answers as the reference does", float(verdict.passed), "1 = yes")


def _one(bundle: Bundle, precision: TrtPrecision, setting: Setting, peak: float) -> None:
    plan = build_plan(bundle, precision, RUNGS)
    setting.add(bundle.manifest.name, f"tensorrt {precision}: built", plan.built_in_s, "s")
    with closing(open_engine(bundle, "tensorrt", precision=precision, ladder=RUNGS)) as engine:
        measure(engine, bundle, f"tensorrt {precision}", setting, peak)


def _frames(bundle: Bundle) -> NDArray[np.generic]:
    spec = bundle.manifest.input
    cells = open_cells(f"digital:{CELLS}")
    return fit_frames(cells.select(spec.channels), spec.height, spec.width, spec.fit)
