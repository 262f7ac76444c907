"""Parity: whether an engine answers as the FP32 reference does, on real cells."""

from engines.verify._compare import compare, compare_engine, verify
from engines.verify._judge import ClassGates, Judge
from engines.verify._material import Material, material
from engines.verify._verdict import LIMITS, MIN_CELLS, Limits, Verdict

__all__ = [
    "LIMITS",
    "MIN_CELLS",
    "ClassGates",
    "Judge",
    "Limits",
    "Material",
    "Verdict",
    "compare",
    "compare_engine",
    "material",
    "verify",
]
