"""The running tally of a series, way by way. The loop adds every cell it settles; a journal is added in one go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.report._chances import Chances
from streamer.report._wanted import TalliedGate
from streamer.vocabulary import WASTE, Reason

FEW = 32
"""Up to so many kept cells are summed one by one; from there on all at once is quicker."""
REASONS = tuple(reason.label for reason in Reason)


class WayCount(NamedTuple):
    """What the tally holds of one way.

    `aborts` are its in-gate cells that were not kept, by reason label. `chances` are of the kept cells whose gate
    names classes, `blind` how many were kept by each gate that does not.
    """

    name: str
    gates: tuple[str, ...]
    in_gate: int
    sorted: int
    aborts: dict[str, int]
    chances: Chances
    blind: dict[str, int]


class SortTally:
    """Counts of a series by way and reason, and the sums that the estimated purity needs.

    A cell belongs to the way of its gate, whatever became of it; cells in no gate, or in one without a way or with that
    of waste, belong to none.

    Parameters
    ----------
    gates
        By code, see `tallied_gates`.
    classes
        How many classes there are.
    reasons
        Labels by code; code 0 is kept.

    Attributes
    ----------
    decided, classified
        Cells added, and those of them the engine answered for.
    """

    def __init__(self, gates: Sequence[TalliedGate], classes: int, reasons: Sequence[str] = REASONS) -> None:
        self.decided = self.classified = 0
        self._classes = classes
        self._reasons = tuple(reasons)
        self._gates: tuple[TalliedGate, ...] = ()
        self._codes = 0
        self._rows: list[str] = [WASTE]
        self._names: list[dict[str, int]] = [{}]
        self._chances = [Chances()]
        self._counts = np.zeros(len(self._reasons), np.int64)
        self.use_gates(gates)

    def use_gates(self, gates: Sequence[TalliedGate], first: int = 0) -> None:
        """Take new gates for the cells to come: codes from `first` on are theirs, lower ones keep their meaning.

        What was counted stays. A code that no gate has any more leads nowhere.
        """
        old = self._gates[:first]
        self._gates = old + (TalliedGate(""),) * (first - len(old)) + tuple(gates)
        for gate in gates:
            if gate.way not in self._rows:
                self._rows.append(gate.way)
                self._names.append({})
                self._chances.append(Chances())
            self._names[self._rows.index(gate.way)].setdefault(gate.name, 0)
        counts = np.zeros(len(self._rows) * len(self._reasons), np.int64)
        counts[: len(self._counts)] = self._counts
        self._counts = counts
        # By gate code, as many as there ever were, with one more entry that code -1 reaches.
        self._codes = max(self._codes, len(self._gates))
        self._row_of = np.zeros(self._codes + 1, np.intp)
        self._row_of[: len(self._gates)] = [self._rows.index(gate.way) for gate in self._gates]
        self._base_of = self._row_of * len(self._reasons)
        self._rows_by_gate = self._row_of.tolist()
        self._wants = np.zeros((self._codes + 1, self._classes))
        self._sees = np.zeros(self._codes + 1, np.bool_)
        for code, gate in enumerate(self._gates):
            self._wants[code, list(gate.wanted or ())] = 1.0
            self._sees[code] = gate.wanted is not None

    def add(self, entries: NDArray[np.void]) -> None:
        """Add decided cells, `(n,)` of the journal's records: `gate`, `reason`, `class_` and `probabilities` count."""
        if len(entries) == 1:
            self._add_one(entries)
            return
        reason = entries["reason"]
        self._counts += np.bincount(self._base_of[entries["gate"]] + reason, minlength=len(self._counts))
        self.decided += len(entries)
        self.classified += int(np.count_nonzero(entries["class_"] >= 0))
        kept = (reason == Reason.KEPT).nonzero()[0]
        if len(kept) > FEW:
            self._add_many(entries["gate"][kept], entries["probabilities"][kept])
        elif len(kept):
            self._add_few(entries["gate"][kept].tolist(), entries["probabilities"][kept].tolist())

    def ways(self) -> list[WayCount]:
        """Return what was counted of every way but waste, in the order of the gates."""
        table = self._counts.reshape(len(self._rows), len(self._reasons)).tolist()
        return [self._way(row, table[row]) for row in range(1, len(self._rows))]

    @property
    def strays(self) -> int:
        """Cells kept though no gate sends them anywhere; never but by a bug."""
        return int(self._counts[Reason.KEPT])

    def _add_one(self, entries: NDArray[np.void]) -> None:
        # The usual batch of light load: plain numbers are quicker than arrays of one.
        reason, gate = int(entries["reason"][0]), int(entries["gate"][0])
        self._counts[self._base_of[gate] + reason] += 1
        self.decided += 1
        self.classified += int(entries["class_"][0]) >= 0
        if reason == Reason.KEPT:
            self._add_few([gate], entries["probabilities"].tolist())

    def _add_few(self, gates: list[int], probabilities: list[list[float]]) -> None:
        for gate, each in zip(gates, probabilities, strict=True):
            known = self._gates[gate] if 0 <= gate < len(self._gates) else None
            if known is None or known.wanted is None:
                self._add_blind(gate)
                continue
            chance = 0.0
            for index in known.wanted:
                chance += each[index]
            self._chances[self._rows_by_gate[gate]].add_one(chance)

    def _add_many(self, gate: NDArray[np.int16], probabilities: NDArray[np.float32]) -> None:
        chances: NDArray[np.float64] = np.einsum("ij,ij->i", probabilities, self._wants[gate], dtype=np.float64)
        sees = self._sees[gate]
        if not sees.all():
            for code in gate[~sees].tolist():
                self._add_blind(code)
            gate, chances = gate[sees], chances[sees]
        rows = self._row_of[gate]
        for row in set(rows.tolist()):
            self._chances[row].add(chances[rows == row])

    def _add_blind(self, gate: int) -> None:
        if 0 <= gate < len(self._gates):
            self._names[self._rows_by_gate[gate]][self._gates[gate].name] += 1

    def _way(self, row: int, counts: list[int]) -> WayCount:
        aborts = {label: count for label, count in zip(self._reasons[1:], counts[1:], strict=True) if count}
        return WayCount(
            name=self._rows[row],
            gates=tuple(self._names[row]),
            in_gate=sum(counts),
            sorted=counts[Reason.KEPT],
            aborts=aborts,
            chances=self._chances[row],
            blind={name: cells for name, cells in self._names[row].items() if cells},
        )
