"""The /events group of an RT-DC file: how many events there are, and their scalar features."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from typing import Any

from engines.cells.hdf5._guard import guard
from engines.cells.hdf5._h5file import member, names
from engines.errors import CellsError


def events_group(source: object, file: Any) -> Any:
    """Return /events; `CellsError` where there is none."""
    events = member(source, file, "events")
    if not isinstance(events, import_module("h5py").Group):
        raise CellsError(source, "events", "no such group", "the events of an RT-DC file")
    return events


def scalar_features(source: object, events: Any) -> dict[str, Any]:
    """Return the one-dimensional numeric datasets of /events by name, unread."""
    h5py = import_module("h5py")
    found: dict[str, Any] = {}
    with guard(source, "events"):
        for name in names(events):
            dataset = member(source, events, name)
            if isinstance(dataset, h5py.Dataset) and dataset.ndim == 1 and _is_number(dataset):
                found[name] = dataset
    return found


def event_count(scalars: dict[str, Any]) -> int | None:
    """Return the number of events: the length that most scalar features have, None where there are none.

    The attribute `experiment:event count` is not asked: it is written at the start of a measurement that may have
    been cut off, and copied along by tools that filter events.
    """
    lengths = Counter(int(dataset.shape[0]) for dataset in scalars.values())
    return max(lengths, key=lambda length: (lengths[length], length), default=None)


def _is_number(dataset: Any) -> bool:
    try:
        return dataset.dtype.kind in "iuf" and dataset.dtype.itemsize <= 8
    except TypeError:  # a type that NumPy has no name for
        return False
