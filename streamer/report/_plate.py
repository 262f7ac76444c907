"""Index sorting: which cell went into which well."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from engines.errors import InputError
from streamer.config import WaySection
from streamer.decision.windows import Plate
from streamer.journal import Journal
from streamer.vocabulary import Reason


class Well(NamedTuple):
    """A sorted cell and the well it went into."""

    way: str
    well: str
    seq: int
    ticks: int
    class_: str
    confidence: float
    probabilities: list[float]


def wells_of(journal: Journal) -> list[Well]:
    """Return a row per sorted cell of every way that sorts into a plate, in the order in which they were actuated.

    That order is the one of their trigger times, whatever the order in which the decisions left.

    Raises
    ------
    InputError
        No way of the series sorts into a plate.
    """
    header = journal.header
    plates = {name: Plate(section.plate, section.cells_per_well) for name, section in _ways(journal) if section.plate}
    if not plates:
        raise InputError(journal.path, "ways", "none with a plate", "a `plate` in a [way.NAME] section")
    kept = journal.decisions[journal.decisions["reason"] == Reason.KEPT]
    rows = []
    for name, plate in plates.items():
        mine = kept[kept["way"] == header.ways.index(name)] if name in header.ways else kept[:0]
        for number, record in enumerate(mine[np.argsort(mine["ticks"], kind="stable")][: plate.capacity]):
            probabilities = [round(float(p), 6) for p in record["probabilities"]]
            class_ = int(record["class_"])
            well, seq, ticks = plate.well(number), int(record["seq"]), int(record["ticks"])
            rows.append(Well(name, well, seq, ticks, header.classes[class_], probabilities[class_], probabilities))
    return rows


def write_plate(journal: Journal, path: Path) -> int:
    """Write `wells_of` as CSV, a row per cell; return how many. `InputError` where the file cannot be written."""
    rows = wells_of(journal)
    head = ["way", "well", "seq", "ticks", "class", "confidence", *(f"p({name})" for name in journal.header.classes)]
    try:
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(head)
            writer.writerows([*row[:-1], *row.probabilities] for row in rows)
    except OSError as error:
        raise InputError(path, "--plate", error.strerror or str(error), "a file that can be written") from error
    return len(rows)


def _ways(journal: Journal) -> list[tuple[str, WaySection]]:
    tree = journal.header.config.get("way", {})
    try:
        return list(msgspec.convert(tree, dict[str, WaySection]).items())
    except msgspec.ValidationError as error:
        raise InputError(journal.path, "config.way", str(error), "the [way] sections of a configuration") from error
