"""Read gates from a Gating-ML 2.0 file.

Supported: rectangle, polygon, ellipsoid, quadrant and boolean gates with parents; the transformations flin, flog,
logicle and fasinh; dimensions are our feature names. A quadrant gate becomes one rectangle for each of its quadrants.
Everything else (compensation, ratios, hyperlog, bounded transformations) is refused by name, and the file with it.

Source: Spidlen, Brinkman, ISAC Data Standards Task Force: Gating-ML 2.0 (2015-03-16).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec

from engines.errors import InputError
from streamer.config import GateSection, Scale, check_gates
from streamer.decision._gatingml_dimensions import Dimension, dimensions_of, scales_of, sub_scales
from streamer.decision._gatingml_names import CELLGATE, DATATYPES, GATING, TRANSFORMS, name_of, number, short
from streamer.decision._gatingml_quadrants import quadrants_of
from streamer.decision._gatingml_xml import MAX_BYTES, parse_xml

_G, _T, _D = f"{{{GATING}}}", f"{{{TRANSFORMS}}}", f"{{{DATATYPES}}}"
_GATES = {f"{_G}{kind}Gate" for kind in ("Rectangle", "Polygon", "Ellipsoid", "Quadrant", "Boolean")}


def read_gatingml(path: str | Path) -> tuple[GateSection, ...]:
    """Read the gates of the file at `path`, in its order; `InputError` names gate, field and reason."""
    source = Path(path)
    try:
        if source.exists() and not source.is_file():
            # A pipe or device could keep the reader, and with it the live loop, for ever.
            raise InputError(source, "file", "no regular file", "a readable Gating-ML file")
        with source.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        found = getattr(error, "strerror", None) or str(error)
        raise InputError(source, "file", found, "a readable Gating-ML file") from error
    return parse_gatingml(raw, source)


def parse_gatingml(raw: bytes, source: object = "Gating-ML") -> tuple[GateSection, ...]:
    """Read the gates of a Gating-ML document; see `read_gatingml`."""
    root = parse_xml(raw, source)
    if root.tag != f"{_G}Gating-ML":
        raise InputError(source, "root element", short(root.tag), "gating:Gating-ML, version 2.0")
    elements = [element for element in root if element.tag != f"{_D}custom_info"]
    for element in elements:
        if element.tag not in _GATES and element.tag != f"{_T}transformation":
            raise InputError(source, short(element.tag), _identifier(element), "a supported Gating-ML element")
    scales = scales_of([e for e in elements if e.tag == f"{_T}transformation"], source)
    sections: list[dict[str, object]] = []
    for element in elements:
        if element.tag in _GATES:
            sections += _gate(element, scales, source)
    gates = tuple(_convert(section, source) for section in sections)
    check_gates(gates, source)
    return gates


def _convert(section: dict[str, object], source: object) -> GateSection:
    try:
        return msgspec.convert(section, GateSection)
    except msgspec.ValidationError as error:
        raise InputError(source, f"gate {section['name']}", str(error), "a gate of docs/gating.md") from None


def _gate(element: ET.Element, scales: Mapping[str, Scale], source: object) -> Iterator[dict[str, object]]:
    identifier = _identifier(element)
    if not identifier:
        raise InputError(source, f"{short(element.tag)}: gating:id", "nothing", "an identifier")
    field = f"gate {name_of(identifier)}"
    section: dict[str, object] = {"name": name_of(identifier)}
    for key, value in element.attrib.items():
        if key == f"{_G}parent_id":
            section["parent"] = name_of(value)
        elif key == f"{{{CELLGATE}}}way":
            section["way"] = value
        elif key == f"{{{CELLGATE}}}priority":
            section["priority"] = _whole(value, source, field)
    children = [child for child in element if child.tag != f"{_D}custom_info"]
    kind = element.tag.removeprefix(_G)
    if kind == "QuadrantGate":
        yield from quadrants_of(children, section, scales, source, field)
        return
    if kind == "BooleanGate":
        section |= _boolean(children, source, field)
    else:
        dimensions = dimensions_of([c for c in children if c.tag == f"{_G}dimension"], scales, source, field)
        others = [c for c in children if c.tag != f"{_G}dimension"]
        region = {"RectangleGate": _rectangle, "PolygonGate": _polygon, "EllipsoidGate": _ellipsoid}[kind]
        section |= region(dimensions, others, source, field) | sub_scales(dimensions)
    yield section


def _rectangle(dimensions: list[Dimension], others: list[ET.Element], source: object, field: str) -> dict[str, object]:
    for element in others:
        raise _unsupported(element, source, field)
    where: dict[str, dict[str, float]] = {}
    section: dict[str, object] = {}
    for dimension in dimensions:
        bound = {side: value for side, value in (("min", dimension.min), ("max", dimension.max)) if value is not None}
        name = dimension.name
        if name.startswith("class[") and name.endswith("]") and bound == {"min": 0.5} and dimension.scale is None:
            section["classes"] = name[len("class[") : -1].split("+")
        else:
            where[name] = bound
    return section | ({"where": where} if where or not section else {})


def _polygon(dimensions: list[Dimension], others: list[ET.Element], source: object, field: str) -> dict[str, object]:
    if len(dimensions) != 2:
        raise InputError(source, f"{field}: gating:dimension", f"{len(dimensions)} dimensions", "2 for a polygon")
    vertices = []
    for element in others:
        if element.tag != f"{_G}vertex":
            raise _unsupported(element, source, field)
        vertices.append(_values(element, "coordinate", 2, source, f"{field}: gating:vertex"))
    x, y = dimensions
    return {"polygon": {"x": x.name, "y": y.name, "vertices": vertices}}


def _ellipsoid(dimensions: list[Dimension], others: list[ET.Element], source: object, field: str) -> dict[str, object]:
    n = len(dimensions)
    found: dict[str, object] = {"dimensions": [dimension.name for dimension in dimensions]}
    for element in others:
        match element.tag.removeprefix(_G):
            case "mean":
                found["mean"] = _values(element, "coordinate", n, source, f"{field}: gating:mean")
            case "covarianceMatrix":
                rows = f"{field}: gating:covarianceMatrix"
                for row in element:
                    if row.tag != f"{_G}row":
                        raise _unsupported(row, source, field)
                found["covariance"] = [_values(row, "entry", n, source, rows) for row in element]
            case "distanceSquare":
                value = element.get(f"{_D}value")
                found["distance_squared"] = number(value, source, f"{field}: gating:distanceSquare")
            case _:
                raise _unsupported(element, source, field)
    return {"ellipsoid": found}


def _boolean(children: list[ET.Element], source: object, field: str) -> dict[str, object]:
    if len(children) != 1 or children[0].tag not in (f"{_G}and", f"{_G}or", f"{_G}not"):
        tags = ", ".join(short(child.tag) for child in children) or "nothing"
        raise InputError(source, field, tags, "one of gating:and, gating:or, gating:not")
    operation = children[0]
    operands: list[str] = []
    for element in operation:
        reference = element.get(f"{_G}ref")
        if element.tag != f"{_G}gateReference" or not reference:
            raise _unsupported(element, source, field)
        complement = element.get(f"{_G}use-as-complement", "false")
        if complement not in ("true", "false", "1", "0"):
            raise InputError(source, f"{field}: gating:use-as-complement", complement, "true or false")
        operands.append(("!" if complement in ("true", "1") else "") + name_of(reference))
    plain = [operand.removeprefix("!") for operand in operands]
    if operation.tag == f"{_G}not":
        if len(operands) != 1 or operands != plain:
            raise InputError(source, f"{field}: gating:not", ", ".join(operands), "one gate, not its complement")
        return {"none_of": plain}
    if len(operands) < 2:
        raise InputError(source, f"{field}: {short(operation.tag)}", ", ".join(operands), "two gates or more")
    if operation.tag == f"{_G}or":
        return {"any_of": operands}
    return {"none_of": plain} if all(o.startswith("!") for o in operands) else {"all_of": operands}


def _values(element: ET.Element, tag: str, count: int, source: object, field: str) -> list[float]:
    for child in element:
        if child.tag != f"{_G}{tag}":
            raise _unsupported(child, source, field)
    if len(element) != count:
        raise InputError(source, field, f"{len(element)} values", f"{count}, one for each dimension")
    return [number(child.get(f"{_D}value"), source, field) for child in element]


def _identifier(element: ET.Element) -> str:
    return element.get(f"{_G}id") or element.get(f"{_T}id") or ""


def _whole(text: str, source: object, field: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(source, f"{field}: cellgate:priority", text, "a whole number") from None


def _unsupported(element: ET.Element, source: object, field: str) -> InputError:
    return InputError(source, field, short(element.tag), "an element this gate may have")
