"""Give an engine the weights of another graph of the same shape."""

from __future__ import annotations

from typing import Any

from engines.bundle import Bundle
from engines.errors import BundleError
from engines.tensorrt._log import Complaints


def require_same_shape(old: Bundle, new: Bundle) -> None:
    """Raise `BundleError` unless both take and return the same."""
    for field in ("classes", "input", "outputs"):
        have, wanted = getattr(new.manifest, field), getattr(old.manifest, field)
        if have != wanted:
            raise BundleError(new.path, field, have, f"{wanted}, as in the bundle that runs")


def set_weights(trt: Any, engine: Any, model: bytes, complaints: Complaints) -> None:
    """Exchange every weight for that of `model`; `EngineError`, the engine as it was, where one does not fit."""
    try:
        refitter = trt.Refitter(engine, complaints.logger)
    except TypeError as error:  # what the bindings make of a null
        raise complaints.error("the plan takes no other weights") from error
    parser = trt.OnnxParserRefitter(refitter, complaints.logger)
    if not parser.refit_from_bytes(model):
        reasons = [str(parser.get_error(i).desc()) for i in range(parser.num_errors)]
        raise complaints.error("the weights do not fit the plan", *reasons)
    missing = refitter.get_missing_weights()
    if missing:
        raise complaints.error("the weights do not fit the plan", f"nothing for {', '.join(missing)}")
    if not refitter.refit_cuda_engine():
        raise complaints.error("the weights could not be exchanged")
