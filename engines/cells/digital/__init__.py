"""Digital cells: Jurkat-like cells drawn by a procedure, for demos, load and training without a recording."""

from __future__ import annotations

from engines.cells.digital._arguments import DEMO_MIX
from engines.cells.digital._phases import CHANNELS, PHASES
from engines.cells.digital._render import BLOCK, render, stream
from engines.cells.digital._target import TARGET, TARGET_COUNTS, Measured, measure

__all__ = [
    "BLOCK",
    "CHANNELS",
    "DEMO_MIX",
    "PHASES",
    "TARGET",
    "TARGET_COUNTS",
    "Measured",
    "measure",
    "render",
    "stream",
]
