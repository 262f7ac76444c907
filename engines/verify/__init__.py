"""Parity: whether an engine answers as the FP32 reference does, on real cells."""

from engines.verify._compare import compare, verify
from engines.verify._material import Material, material
from engines.verify._verdict import LIMITS, MIN_CELLS, Limits, Verdict

__all__ = ["LIMITS", "MIN_CELLS", "Limits", "Material", "Verdict", "compare", "material", "verify"]
