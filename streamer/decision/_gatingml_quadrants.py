"""Quadrant gates of Gating-ML 2.0: dividers cut each dimension, and each quadrant is a rectangle between them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.etree import ElementTree as ET

from engines.errors import InputError
from streamer.config import Scale
from streamer.decision._gatingml_dimensions import Dimension, dimensions_of, sub_scales
from streamer.decision._gatingml_names import GATING, name_of, number, short

_G = f"{{{GATING}}}"


class _Divider(NamedTuple):
    dimension: Dimension
    values: list[float]


def quadrants_of(
    children: Sequence[ET.Element],
    shared: Mapping[str, object],
    scales: Mapping[str, Scale],
    source: object,
    field: str,
) -> Iterator[dict[str, object]]:
    """Yield one rectangle for each quadrant of a gate; `shared` is what all of them have (parent, way).

    A quadrant holds the span of each divider that its location lies in, the lower end inside and the upper outside.
    """
    dividers: dict[str, _Divider] = {}
    quadrants = []
    for child in children:
        if child.tag == f"{_G}divider":
            identifier = child.get(f"{_G}id") or ""
            if not identifier or identifier in dividers:
                raise InputError(source, f"{field}: gating:divider", identifier or "no id", "an id of its own")
            (dimension,) = dimensions_of([child], scales, source, field)
            values = [number(v.text, source, f"{field}: gating:value") for v in child if v.tag == f"{_G}value"]
            if not values or sorted(set(values)) != values:
                raise InputError(source, f"{field}: gating:divider {identifier}", values, "ascending values")
            dividers[identifier] = _Divider(dimension, values)
        elif child.tag == f"{_G}Quadrant":
            quadrants.append(child)
        else:
            raise InputError(source, field, short(child.tag), "gating:divider or gating:Quadrant")
    dimensions_of_all = [divider.dimension.name for divider in dividers.values()]
    if len(set(dimensions_of_all)) < len(dimensions_of_all):
        raise InputError(source, f"{field}: gating:divider", ", ".join(dimensions_of_all), "one for each dimension")
    if not quadrants:
        raise InputError(source, f"{field}: gating:Quadrant", "nothing", "one quadrant or more")
    for quadrant in quadrants:
        yield {**shared, **_rectangle(quadrant, dividers, source, field)}


def _rectangle(quadrant: ET.Element, dividers: Mapping[str, _Divider], source: object, field: str) -> dict[str, object]:
    identifier = quadrant.get(f"{_G}id")
    if not identifier:
        raise InputError(source, f"{field}: gating:Quadrant", "no id", "an id of its own")
    where: dict[str, dict[str, float]] = {}
    used: list[Dimension] = []
    for position in quadrant:
        reference = position.get(f"{_G}divider_ref") or ""
        if position.tag != f"{_G}position" or reference not in dividers or dividers[reference].dimension in used:
            raise InputError(source, f"{field}: quadrant {identifier}", reference or short(position.tag), "a divider")
        dimension, values = dividers[reference]
        location = number(position.get(f"{_G}location"), source, f"{field}: quadrant {identifier}")
        span = bisect_right(values, location)
        low = {} if span == 0 else {"min": values[span - 1]}
        high = {} if span == len(values) else {"max": values[span]}
        where[dimension.name] = low | high
        used.append(dimension)
    return {"name": name_of(identifier), "where": where} | sub_scales(used)
