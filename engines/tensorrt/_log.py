"""What TensorRT says, kept: where it returns None, the reason is only in its log."""

from __future__ import annotations

from collections import deque
from typing import Any

from engines.errors import EngineError

REMEDIES = (
    (("out of memory", "outofmemory", "cudaerrormemoryallocation"), "use a smaller ladder, or free the GPU's memory"),
    (("serialization", "version tag", "magic tag"), "the plan is of another TensorRT: build it anew"),
    (("compute capability", "generated on"), "the plan is of another GPU: build it anew on this one"),
    (("cuda initialization failure", "no cuda-capable", "driver version is insufficient"), "check NVIDIA's driver"),
)


class Complaints:
    """Collects warnings and errors; `logger` is what TensorRT is given."""

    def __init__(self, trt: Any) -> None:
        self.errors: deque[str] = deque(maxlen=20)
        self.warnings: deque[str] = deque(maxlen=20)
        self.logger = _logger(trt, self)

    def error(self, what: str, *details: str) -> EngineError:
        """Return the error to raise: what failed, why, and what to do about it; the log starts anew."""
        reasons = [*details, *self.errors] or ["TensorRT gave no reason"]
        self.errors.clear()
        text = "; ".join(dict.fromkeys(" ".join(reason.split()) for reason in reasons))
        lower = text.lower()
        remedy = next((remedy for signs, remedy in REMEDIES if any(sign in lower for sign in signs)), "")
        return EngineError(f"TensorRT: {what}: {text[:600]}{f'; {remedy}' if remedy else ''}")


def _logger(trt: Any, complaints: Complaints) -> Any:
    # Built here, as the base class is only there once TensorRT is imported.
    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                complaints.errors.append(msg)
            elif severity == trt.ILogger.WARNING:
                complaints.warnings.append(msg)

    return Logger()
