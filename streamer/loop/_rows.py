"""One row per cell: everything that is known of it from arrival to decision."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamer.decision import Verdicts
from streamer.ingest import FACTS, Facts
from streamer.vocabulary import Reason
from streamer.wire import NO_CLASS, NO_GATE

Rows = NDArray[np.void]
"""`(n,)` of `row_dtype(classes)`: the fields of `FACTS`, those of a verdict, the probabilities, and as `bundle` the
code of what decided, see `Deciders`."""


@lru_cache(maxsize=8)
def row_dtype(classes: int) -> np.dtype[np.void]:
    """Return the dtype of a row for so many classes."""
    facts = [(name, FACTS[name]) for name in FACTS.names or ()]
    verdict = [("class_", "<i2"), ("gate", "<i2"), ("way", "u1"), ("reason", "u1"), ("confidence", "<f4")]
    return np.dtype([*facts, *verdict, ("bundle", "u1"), ("probabilities", "<f4", (classes,))])


def classified_rows(facts: Facts, verdicts: Verdicts, probabilities: NDArray[np.float32]) -> Rows:
    """Return the rows of cells the engine has answered for."""
    rows = _with_facts(facts, probabilities.shape[1])
    for name, values in zip(Verdicts._fields, verdicts, strict=True):
        rows[name] = values
    rows["probabilities"] = probabilities
    return rows


def unclassified_rows(facts: Facts, reason: Reason, classes: int) -> Rows:
    """Return the rows of cells that go to waste without an answer of the engine."""
    rows = _with_facts(facts, classes)
    rows["class_"] = NO_CLASS
    rows["gate"] = NO_GATE
    rows["reason"] = reason
    rows["probabilities"] = np.nan
    return rows


def _with_facts(facts: Facts, classes: int) -> Rows:
    rows = np.zeros(len(facts), row_dtype(classes))
    for name in FACTS.names or ():
        rows[name] = facts[name]
    return rows
