"""How gates rest on each other: parents and parts, checked, in an order in which each comes after what it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engines.errors import InputError
from streamer.config import GateSection


def evaluation_order(gates: Sequence[GateSection]) -> list[int]:
    """Return the numbers of all gates, each after its parent and its parts.

    Raises
    ------
    InputError
        A parent or part that does not exist, or gates that rest on each other in a circle.
    """
    number = {gate.name: g for g, gate in enumerate(gates)}
    order: list[int] = []
    done: set[int] = set()
    for root in range(len(gates)):
        # Depth first without recursion: a chain of parents may be as long as the file.
        path: list[int] = []
        waiting: list[tuple[int, list[tuple[str, int]]]] = []
        if root not in done:
            waiting.append((root, _needs(gates[root], number)))
            path.append(root)
        while waiting:
            gate, needs = waiting[-1]
            if not needs:
                waiting.pop()
                path.pop()
                done.add(gate)
                order.append(gate)
                continue
            field, other = needs.pop()
            if other in path:
                circle = [gates[g].name for g in (*path[path.index(other) :], other)]
                expected = "gates that do not rest on themselves"
                raise InputError("config", f"gate {gates[gate].name}: {field}", f"cycle {' > '.join(circle)}", expected)
            if other not in done:
                waiting.append((other, _needs(gates[other], number)))
                path.append(other)
    return order


def _needs(gate: GateSection, number: Mapping[str, int]) -> list[tuple[str, int]]:
    parts = next((field for field in ("all_of", "any_of", "none_of") if getattr(gate, field) is not None), "all_of")
    named = [(parts, name.removeprefix("!")) for name in gate.operands]
    if gate.parent is not None:
        named.append(("parent", gate.parent))
    for field, name in named:
        if name not in number:
            raise InputError("config", f"gate {gate.name}: {field}", name, "the name of another gate")
    return [(field, number[name]) for field, name in named]
