"""The gates of a configuration, compiled for a bundle and evaluated for a whole batch at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Manifest
from engines.errors import InputError
from streamer.config import GateSection
from streamer.decision._boxes import Boxes
from streamer.decision._features import Cells, Features
from streamer.decision._order import evaluation_order
from streamer.decision._spec import Spec, spec_of
from streamer.decision._steps import features_used, steps_of
from streamer.vocabulary import WASTE
from streamer.wire import NO_GATE

MAX_WAYS = 7
"""Waste and up to six ways."""


class Gates:
    """The gates of a configuration, compiled for a bundle.

    A cell belongs to the first sorting gate (one with a way) that holds it, by priority and then in the order of the
    configuration. A lower bound is inside and an upper one outside; edges of polygons and ellipsoids are inside (as
    in Gating-ML 2.0). A cell with a feature that is not finite is in no gate drawn over that feature.

    Parameters
    ----------
    gates
        Checked sections, see `config.check_gates`.
    bundle
        The manifest (or `Spec`) of the bundle; class names alone allow gates over probabilities.
    ways
        Ways that keep their codes, whether a gate leads there or not: those of the gates that these replace.

    Attributes
    ----------
    spec
        What the bundle offers.
    names, ways
        Names of all gates, and the names of all ways; way 0 is waste.
    way_of
        `(gates + 1,)` uint8: the way of each gate; the last entry, reached by gate -1, is waste.
    way_codes
        The same in plain numbers.

    Raises
    ------
    InputError
        A gate names a feature, class or gate that is not there, gates rest on each other in a circle, or there are
        more than six ways beside waste.
    """

    def __init__(
        self, gates: Sequence[GateSection], bundle: Manifest | Spec | Sequence[str], *, ways: Sequence[str] = ()
    ) -> None:
        self.spec = spec_of(bundle)
        self.names = tuple(gate.name for gate in gates)
        named = [way for way in (*ways, *(gate.way for gate in gates)) if way not in (None, WASTE)]
        self.ways: tuple[str, ...] = (WASTE, *dict.fromkeys(named))
        if len(self.ways) > MAX_WAYS:
            raise InputError("config", "gate.way", ", ".join(self.ways[1:]), f"at most {MAX_WAYS - 1} ways")
        self.way_codes = [*(self.ways.index(gate.way or WASTE) for gate in gates), 0]
        self.way_of = np.array(self.way_codes, np.uint8)
        sorting = [g for g, gate in enumerate(gates) if gate.way is not None]
        sorting.sort(key=lambda g: -gates[g].priority)
        self._sorting = np.array(sorting, np.intp)
        self._code = np.array([*sorting, NO_GATE], np.int16)
        order = evaluation_order(gates)
        self._features = Features(features_used(gates), self.spec)
        self._boxes = Boxes(gates, self._features.column)
        self._steps = steps_of(gates, order, self._features.column)
        self._plain = not self._steps and sorting == list(range(len(gates)))
        # Without steps every gate is a box alone, and box b is gate b.
        self._boxes_alone = sorting if not self._steps and len(self._boxes.gates) == len(gates) else None

    @property
    def measured(self) -> bool:
        """Whether some gate is drawn over a measurement."""
        return self._features.measured

    def assign(self, cells: Cells) -> NDArray[np.int16]:
        """Return the sorting gate of each of n cells, `(n,)` int16; -1 for a cell in none.

        `cells` are an engine's predictions, or their probabilities `(n, classes)` where no gate looks at more.
        """
        if not len(self._sorting):
            n = len(cells if isinstance(cells, np.ndarray) else cells.probabilities)
            return np.full(n, NO_GATE, np.int16)
        if self._plain:
            return _first(self._boxes(self._features(cells)))
        return self._code[_first(self.member(cells)[:, self._sorting])]

    def assign_one(self, cells: Cells) -> int:
        """Return what `assign` returns, for a single cell: plain numbers are quicker than arrays of one."""
        if self._boxes_alone is None:
            return int(self.assign(cells)[0])
        if self._boxes_alone:
            values = self._features.of_one(cells)
            for gate in self._boxes_alone:
                if self._boxes.holds(gate, values):
                    return gate
        return NO_GATE

    def member(self, cells: Cells) -> NDArray[np.bool_]:
        """Tell for each of n cells and each gate, with or without a way, whether the cell is in it; `(n, gates)`."""
        values = self._features(cells)
        member = np.empty((len(values), len(self.names)), np.bool_)
        if len(self._boxes.gates):
            member[:, self._boxes.gates] = self._boxes(values)
        if self._steps:
            with np.errstate(all="ignore"):
                for step in self._steps:
                    step(values, member)
        return member


def _first(member: NDArray[np.bool_]) -> NDArray[np.int16]:
    """Return the first column that holds in each row, -1 where none does."""
    if member.shape[1] == 1:
        return member[:, 0].astype(np.int16) - np.int16(1)
    first: NDArray[np.int16] = member.argmax(axis=1).astype(np.int16)
    first[~member.any(axis=1)] = NO_GATE
    return first
