"""Check what a caller asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.cells.digital._phases import PHASES
from engines.errors import InputError

DEMO_MIX: Mapping[str, float] = MappingProxyType(
    {"G1": 0.5, "S": 0.2, "G2": 0.18, "Prophase": 0.05, "Metaphase": 0.03, "Anaphase": 0.02, "Telophase": 0.02}
)
"""The default class mix: mostly interphase, with enough mitotic cells for a demo's gate to sort some."""

_SOURCE = "digital cells"


def shares(class_mix: Mapping[str, float] | None, debris: float, doublets: float) -> NDArray[np.float64]:
    """Return the shares of all kinds, the phases first, then debris and doublets; `InputError` names a bad one."""
    mix = DEMO_MIX if class_mix is None else class_mix
    if not isinstance(mix, Mapping):
        raise InputError(_SOURCE, "class_mix", mix, "a mapping of names to shares")
    for name, part in mix.items():
        if name not in PHASES:
            raise InputError(_SOURCE, "class_mix", name, f"names among {', '.join(PHASES)}")
        _number(f"class_mix[{name}]", part, math.inf)
    total = float(sum(mix.values()))
    if not 0 < total < math.inf:
        raise InputError(_SOURCE, "class_mix", dict(mix), "shares with a finite sum above 0")
    _number("debris", debris, 1)
    _number("doublets", doublets, 1)
    if debris + doublets > 1:
        raise InputError(_SOURCE, "doublets", doublets, f"at most {1 - debris:g}, what debris leaves")
    phases = np.array([mix.get(name, 0.0) for name in PHASES]) / total * (1 - debris - doublets)
    return np.append(phases, [debris, doublets])


def whole(field: str, value: Any, least: int, most: int | None = None) -> None:
    """Check a whole number from `least` to `most`."""
    fits = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not fits or value < least or (most is not None and value > most):
        expected = f"a whole number from {least}" + ("" if most is None else f" to {most}")
        raise InputError(_SOURCE, field, value, expected)


def _number(field: str, value: Any, most: float) -> None:
    fits = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not fits or not 0 <= value <= most or value == math.inf:
        raise InputError(_SOURCE, field, value, "a finite number from 0" + (" to 1" if most == 1 else ""))
