"""Which part of a graph may be computed in float16: the network, and nothing that sums counts."""

from __future__ import annotations

from engines.pytorch._graph import Graph

_STAYS = ("Softmax", "LogSoftmax", "Cast", "QuantizeLinear", "DequantizeLinear")


def half_nodes(graph: Graph) -> frozenset[int]:
    """Return the places of the nodes between the first convolutions that lead to the probabilities and the softmax.

    A convolution that leads to measurements only sees raw counts and stays as it is, and so does all before the
    first convolution: the background is a sum over counts, which float16 cannot hold.
    """
    needed = {"probabilities"}
    leading = set()
    for place in reversed(range(len(graph.nodes))):
        node = graph.nodes[place]
        if needed.intersection(node.outputs):
            leading.add(place)
            needed.update(name for name in node.inputs if name)
    inside: set[int] = set()
    made: set[str] = set()
    for place, node in enumerate(graph.nodes):
        if place not in leading or node.kind in _STAYS:
            continue
        if node.kind == "Conv" or made.intersection(node.inputs):
            inside.add(place)
            made.update(name for name in node.outputs if name)
    return frozenset(inside)
