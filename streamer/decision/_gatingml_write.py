"""Write gates as a Gating-ML 2.0 file, which `read_gatingml` reads back into equal gates.

Ways and priorities, which the standard does not know, are attributes of Cellgate's own namespace on each gate; other
programs may ignore them. `classes` becomes a dimension such as `class[Metaphase+Anaphase]`, 1 where the top class is
one of them, from 0.5 on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec

from streamer.config import Bound, GateSection, Scale
from streamer.decision._boxes import class_feature
from streamer.decision._gatingml_names import CELLGATE, DATATYPES, GATING, PREFIXES, SCALE_ELEMENTS, TRANSFORMS, id_of

_G, _T, _D = f"{{{GATING}}}", f"{{{TRANSFORMS}}}", f"{{{DATATYPES}}}"


def write_gatingml(gates: Sequence[GateSection], path: str | Path) -> None:
    """Write checked gates to the file at `path`."""
    Path(path).write_bytes(format_gatingml(gates))


def format_gatingml(gates: Sequence[GateSection]) -> bytes:
    """Return checked gates as a Gating-ML 2.0 document, UTF-8."""
    for prefix, namespace in PREFIXES.items():
        ET.register_namespace(prefix, namespace)
    root = ET.Element(f"{_G}Gating-ML")
    ids: dict[Scale, str] = {}
    for scale in (scale for gate in gates for scale in (gate.scale or {}).values()):
        if scale not in ids:
            # A gate's id never begins like this.
            ids[scale] = f"_scale.{len(ids) + 1}"
            root.append(_transformation(scale, ids[scale]))
    for gate in gates:
        root.append(_gate(gate, ids))
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _transformation(scale: Scale, identifier: str) -> ET.Element:
    element = ET.Element(f"{_T}transformation", {f"{_T}id": identifier})
    values: dict[str, object] = msgspec.to_builtins(scale)
    kind = values.pop("kind")
    tag = next(tag for tag, ours in SCALE_ELEMENTS.items() if ours == kind)
    ET.SubElement(element, f"{_T}{tag}", {f"{_T}{letter}": repr(value) for letter, value in values.items()})
    return element


def _gate(gate: GateSection, ids: dict[Scale, str]) -> ET.Element:
    kind, children = _region(gate, ids)
    element = ET.Element(f"{_G}{kind}Gate", {f"{_G}id": id_of(gate.name)})
    if gate.parent is not None:
        element.set(f"{_G}parent_id", id_of(gate.parent))
    if gate.way is not None:
        element.set(f"{{{CELLGATE}}}way", gate.way)
    if gate.priority:
        element.set(f"{{{CELLGATE}}}priority", str(gate.priority))
    element.extend(children)
    return element


def _region(gate: GateSection, ids: dict[Scale, str]) -> tuple[str, list[ET.Element]]:
    if gate.operands:
        return "Boolean", [_boolean(gate)]
    if gate.polygon is not None:
        vertices = [_row("vertex", "coordinate", vertex) for vertex in gate.polygon.vertices]
        return "Polygon", [*_plain_dimensions(gate, ids), *vertices]
    if gate.ellipsoid is not None:
        ellipsoid = gate.ellipsoid
        matrix = ET.Element(f"{_G}covarianceMatrix")
        matrix.extend(_row("row", "entry", row) for row in ellipsoid.covariance)
        distance = ET.Element(f"{_G}distanceSquare", {f"{_D}value": repr(float(ellipsoid.distance_squared))})
        return "Ellipsoid", [
            *_plain_dimensions(gate, ids),
            _row("mean", "coordinate", ellipsoid.mean),
            matrix,
            distance,
        ]
    bounds = dict(gate.where or {})
    if gate.classes is not None:
        bounds[class_feature(gate)] = Bound(0.5)
    return "Rectangle", [_dimension(gate, name, ids, bound) for name, bound in bounds.items()]


def _boolean(gate: GateSection) -> ET.Element:
    tag = "or" if gate.any_of is not None else "not" if len(gate.operands) == 1 else "and"
    element = ET.Element(f"{_G}{tag}")
    for operand in gate.operands:
        reference = ET.SubElement(element, f"{_G}gateReference", {f"{_G}ref": id_of(operand.removeprefix("!"))})
        if operand.startswith("!") or (gate.none_of is not None and tag == "and"):
            reference.set(f"{_G}use-as-complement", "true")
    return element


def _plain_dimensions(gate: GateSection, ids: dict[Scale, str]) -> Iterator[ET.Element]:
    return (_dimension(gate, name, ids) for name in gate.dimensions)


def _dimension(gate: GateSection, name: str, ids: dict[Scale, str], bound: Bound | None = None) -> ET.Element:
    element = ET.Element(f"{_G}dimension", {f"{_G}compensation-ref": "uncompensated"})
    scale = (gate.scale or {}).get(name)
    if scale is not None:
        element.set(f"{_G}transformation-ref", ids[scale])
    for side in ("min", "max"):
        value = None if bound is None else getattr(bound, side)
        if value is not None:
            element.set(f"{_G}{side}", repr(float(value)))
    ET.SubElement(element, f"{_D}fcs-dimension", {f"{_D}name": name})
    return element


def _row(tag: str, entry: str, values: Sequence[float]) -> ET.Element:
    element = ET.Element(f"{_G}{tag}")
    for value in values:
        ET.SubElement(element, f"{_G}{entry}", {f"{_D}value": repr(float(value))})
    return element
