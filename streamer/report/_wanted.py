"""Which classes a gate is out for: what decides whether a cell it kept is a right one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from streamer.config import GateSection, is_probability
from streamer.vocabulary import WASTE

_CLASS_OF = re.compile(r"class\[(.*)\]")


class TalliedGate(NamedTuple):
    """A gate as the tally knows it: where its cells go, and the class indices it wants (None: it names none)."""

    name: str
    way: str = WASTE
    wanted: tuple[int, ...] | None = None


def tallied_gates(gates: Sequence[GateSection], classes: Sequence[str]) -> tuple[TalliedGate, ...]:
    """Return each gate with the classes it wants.

    A gate wants its `classes`; without them, the classes in its sums of probabilities with a lower bound
    (`"A+B" = { min = 0.5 }` wants A and B). A gate without either takes after the gates it is made of (`all_of`: what
    all of them that name classes want; `any_of`: what any wants, if all name some), and else after its parent. A
    polygon or an ellipsoid names no class.
    """
    by_name = {gate.name: gate for gate in gates}
    found = []
    for gate in gates:
        wanted = _wanted(gate, by_name, frozenset(classes), frozenset())
        indices = tuple(index for index, name in enumerate(classes) if wanted and name in wanted)
        found.append(TalliedGate(gate.name, gate.way or WASTE, indices or None))
    return tuple(found)


def _wanted(
    gate: GateSection, by_name: dict[str, GateSection], classes: frozenset[str], above: frozenset[str]
) -> frozenset[str] | None:
    if gate.name in above:  # a circle: the streamer refuses it, a file may hold it
        return None
    above |= {gate.name}

    def of(name: str) -> frozenset[str] | None:
        other = None if name.startswith("!") else by_name.get(name)
        return None if other is None else _wanted(other, by_name, classes, above)

    own = _own(gate, classes)
    if own:
        return own
    parts = [of(name) for name in gate.all_of or gate.any_of or ()]
    known = [part for part in parts if part]
    if gate.all_of and known and (common := frozenset.intersection(*known)):
        return common
    if gate.any_of and len(known) == len(parts):
        return frozenset.union(*known)
    return None if gate.parent is None else of(gate.parent)


def _own(gate: GateSection, classes: frozenset[str]) -> frozenset[str]:
    if gate.classes:
        return classes & frozenset(gate.classes)
    found: set[str] = set()
    for dimension, bound in (gate.where or {}).items():
        match = _CLASS_OF.fullmatch(dimension)
        if bound.min is None or not (match or is_probability(dimension)):
            continue
        names = {part.strip() for part in (match[1] if match else dimension).split("+")}
        found |= names if names <= classes else set()  # `top` and `margin` are of no class
    return frozenset(found)
