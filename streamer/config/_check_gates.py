"""What must hold of gates whatever the bundle: one kind of region each, and a region that makes sense."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engines.errors import InputError
from streamer.config._check_polygon import check_polygon
from streamer.config._gate_types import Asinh, Bound, Ellipsoid, GateSection, Linear, Log, Logicle, Scale

_REGIONS = ("polygon", "ellipsoid", "all_of", "any_of", "none_of")
MAX_GATES = 1024


def check_gates(gates: Sequence[GateSection], source: object) -> None:
    """Check each gate by itself and that no two have the same name; `InputError` names gate, field and reason."""
    if len(gates) > MAX_GATES:
        raise InputError(source, "gate", f"{len(gates)} gates", f"at most {MAX_GATES}")
    seen: set[str] = set()
    for number, gate in enumerate(gates):
        if gate.name in seen:
            raise InputError(source, "gate.name", gate.name, "a name of its own for each gate")
        seen.add(gate.name)
        _check_kind(gate, number, source)
        for dimension, bound in (gate.where or {}).items():
            probability = is_probability(dimension) and dimension not in (gate.scale or {})
            _check_bound(bound, f"gate {gate.name}: where.{dimension}", probability, source)
        if gate.polygon is not None:
            check_polygon(gate.polygon, f"gate {gate.name}: polygon", source)
        if gate.ellipsoid is not None:
            _check_ellipsoid(gate.ellipsoid, f"gate {gate.name}: ellipsoid", source)
        if gate.all_of and all(name.startswith("!") for name in gate.all_of):
            raise InputError(source, f"gate {gate.name}: all_of", ", ".join(gate.all_of), "none_of for that")
        for dimension, scale in (gate.scale or {}).items():
            field = f"gate {gate.name}: scale.{dimension}"
            if dimension not in gate.dimensions:
                raise InputError(source, field, "a scale", "a dimension of the gate's region")
            _check_scale(scale, field, source)


def is_probability(dimension: str) -> bool:
    """Tell whether a feature is a probability by its name: no measurement (`channel:name`) and no embedding axis."""
    return ":" not in dimension and "[" not in dimension and dimension != "unfamiliarity"


def _check_kind(gate: GateSection, number: int, source: object) -> None:
    kinds = ["where"] if gate.where is not None or gate.classes is not None else []
    kinds += [field for field in _REGIONS if getattr(gate, field) is not None]
    if not kinds:
        others = "or one of classes, polygon, ellipsoid, all_of, any_of, none_of"
        raise InputError(source, f"gate[{number}].where", "nothing", f"a value, {others} (gate {gate.name})")
    if len(kinds) > 1:
        raise InputError(source, f"gate {gate.name}: {kinds[1]}", f"{kinds[0]} as well", "one kind of region")


def _check_bound(bound: Bound, field: str, probability: bool, source: object) -> None:
    if bound.min is None and bound.max is None:
        raise InputError(source, field, "no bound", "min, max or both")
    if probability:
        for side in ("min", "max"):
            value = getattr(bound, side)
            if value is not None and value < 0:
                raise InputError(source, f"{field}.{side}", value, "a probability, >= 0")
            if value is not None and value > 1:
                raise InputError(source, f"{field}.{side}", value, "a probability, <= 1")
    if bound.min is not None and bound.max is not None and bound.min >= bound.max:
        raise InputError(source, field, f"min {bound.min} max {bound.max}", "min below max")


def _check_ellipsoid(ellipsoid: Ellipsoid, field: str, source: object) -> None:
    n = len(ellipsoid.dimensions)
    if len(set(ellipsoid.dimensions)) < n:
        raise InputError(source, f"{field}.dimensions", ", ".join(ellipsoid.dimensions), "distinct dimensions")
    if len(ellipsoid.mean) != n:
        raise InputError(source, f"{field}.mean", f"{len(ellipsoid.mean)} values", f"{n}, one for each dimension")
    if len(ellipsoid.covariance) != n or any(len(row) != n for row in ellipsoid.covariance):
        raise InputError(source, f"{field}.covariance", ellipsoid.covariance, f"{n} rows of {n} values")
    matrix = np.array(ellipsoid.covariance)
    if not np.array_equal(matrix, matrix.T):
        raise InputError(source, f"{field}.covariance", ellipsoid.covariance, "a symmetric matrix")
    expected = "a positive definite matrix"
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise InputError(source, f"{field}.covariance", ellipsoid.covariance, expected) from None
    if not np.linalg.cond(matrix) < 1e14:
        raise InputError(source, f"{field}.covariance", ellipsoid.covariance, f"{expected}, not nearly singular")


def _check_scale(scale: Scale, field: str, source: object) -> None:
    rules: tuple[tuple[str, bool, str], ...]
    match scale:
        case Linear(T=t, A=a):
            rules = (("A", a <= t, f"0 to T ({t})"),)
        case Log(M=m):
            rules = (("M", m <= 100, "decades, at most 100"),)
        case Asinh(M=m, A=a):
            rules = (("M", m <= 100, "decades, at most 100"), ("A", a <= m, f"0 to M ({m})"))
        case Logicle(W=w, M=m, A=a):
            rules = (
                ("M", m <= 100, "decades, at most 100"),
                ("W", 2 * w <= m, f"0 to M/2 ({m / 2})"),
                ("A", -w <= a <= m - 2 * w, f"-W to M - 2W ({-w} to {m - 2 * w})"),
            )
    for name, good, expected in rules:
        if not good:
            raise InputError(source, f"{field}.{name}", getattr(scale, name), expected)
