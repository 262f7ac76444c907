"""Dimensions and transformations of a Gating-ML 2.0 file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.etree import ElementTree as ET

import msgspec

from engines.errors import InputError
from streamer.config import Scale
from streamer.decision._gatingml_names import DATATYPES, GATING, SCALE_ELEMENTS, TRANSFORMS, number, short

_G, _T, _D = f"{{{GATING}}}", f"{{{TRANSFORMS}}}", f"{{{DATATYPES}}}"


class Dimension(NamedTuple):
    """One dimension of a gate: a feature, its scale (None: as it is), and bounds in the units of the scale."""

    name: str
    scale: Scale | None
    min: float | None
    max: float | None


def dimensions_of(
    elements: Sequence[ET.Element], scales: Mapping[str, Scale], source: object, field: str
) -> list[Dimension]:
    """Return the dimensions of a gate; `InputError` if it has none, or one twice, or one that is not supported."""
    dimensions = [_dimension(element, scales, source, field) for element in elements]
    names = [dimension.name for dimension in dimensions]
    if not names:
        raise InputError(source, f"{field}: gating:dimension", "nothing", "one dimension or more")
    for name in names:
        if names.count(name) > 1:
            raise InputError(source, f"{field}: gating:dimension", f"{name} twice", "each dimension once")
    return dimensions


def sub_scales(dimensions: Sequence[Dimension]) -> dict[str, object]:
    """Return the `scale` field of a gate over these dimensions; nothing where all are taken as they are."""
    scales = {dimension.name: msgspec.to_builtins(dimension.scale) for dimension in dimensions if dimension.scale}
    return {"scale": scales} if scales else {}


def scales_of(elements: Sequence[ET.Element], source: object) -> dict[str, Scale]:
    """Return the transformations of a file by their id."""
    scales: dict[str, Scale] = {}
    for element in elements:
        identifier = element.get(f"{_T}id") or ""
        field = f"transforms:transformation {identifier}"
        if not identifier or identifier in scales:
            raise InputError(source, field, identifier or "nothing", "an id of its own for each transformation")
        for key in element.attrib:
            if key != f"{_T}id":
                raise InputError(source, field, short(key), "a transformation without bounds")
        if len(element) != 1:
            raise InputError(source, field, f"{len(element)} elements", "one transformation")
        scales[identifier] = _scale(element[0], source, field)
    return scales


def _scale(element: ET.Element, source: object, field: str) -> Scale:
    kind = SCALE_ELEMENTS.get(element.tag.removeprefix(_T)) if element.tag.startswith(_T) else None
    if kind is None:
        expected = ", ".join(f"transforms:{name}" for name in SCALE_ELEMENTS)
        raise InputError(source, field, short(element.tag), f"a supported transformation: {expected}")
    values: dict[str, object] = {"kind": kind}
    for key, text in element.attrib.items():
        values[key.removeprefix(_T)] = number(text, source, f"{field}: {short(key)}")
    wanted = {"linear": "TA", "log": "TM", "logicle": "TWMA", "asinh": "TMA"}[kind]
    for letter in wanted:
        if letter not in values:
            raise InputError(source, f"{field}: transforms:{letter}", "nothing", "a number")
    try:
        scale: Scale = msgspec.convert(values, Scale)
    except msgspec.ValidationError as error:
        raise InputError(source, field, str(error), f"the parameters of {short(element.tag)}") from None
    return scale


def _dimension(element: ET.Element, scales: Mapping[str, Scale], source: object, field: str) -> Dimension:
    compensation = element.get(f"{_G}compensation-ref", "uncompensated")
    # The standard's "FCS" means what the data file says of its own spillover; our features have none.
    if compensation not in ("uncompensated", "FCS"):
        raise InputError(source, f"{field}: gating:compensation-ref", compensation, "uncompensated")
    names = [child for child in element if child.tag != f"{_G}value"]
    if len(names) != 1 or names[0].tag != f"{_D}fcs-dimension":
        found = ", ".join(short(child.tag) for child in names) or "nothing"
        raise InputError(source, f"{field}: {short(element.tag)}", found, "one data-type:fcs-dimension")
    name = names[0].get(f"{_D}name")
    if not name:
        raise InputError(source, f"{field}: data-type:fcs-dimension", "no name", "the name of a feature")
    reference = element.get(f"{_G}transformation-ref")
    if reference is not None and reference not in scales:
        raise InputError(source, f"{field}: gating:transformation-ref", reference, "the id of a transformation")
    bounds = [
        None if (text := element.get(f"{_G}{side}")) is None else number(text, source, f"{field}: gating:{side}")
        for side in ("min", "max")
    ]
    return Dimension(name, None if reference is None else scales[reference], bounds[0], bounds[1])
