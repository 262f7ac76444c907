"""Choose and open an engine by name."""

from __future__ import annotations

from engines.backends._interface import DEFAULT_LADDER, Engine
from engines.bundle import Bundle, Precision
from engines.errors import InputError

ENGINES = ("auto", "openvino")


def open_engine(
    bundle: Bundle,
    name: str = "auto",
    *,
    precision: Precision = "fp32",
    threads: int = 0,
    ladder: tuple[int, ...] = DEFAULT_LADDER,
) -> Engine:
    """Compile `bundle` for the engine of this name; `auto` takes the embedded CPU engine.

    Raises `InputError` for an unknown name and `EngineError` where the engine cannot be built.
    """
    if name not in ENGINES:
        raise InputError("engine", "name", name, " or ".join(ENGINES))
    # Imported here: OpenVINO takes a fifth of a second to load, and most commands never need it.
    from engines.backends._openvino import OpenVinoEngine

    return OpenVinoEngine(bundle, precision=precision, threads=threads, ladder=ladder)
