"""What an item measured, written down at once, so that an item cut off leaves what it had."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import msgspec


class Row(msgspec.Struct, frozen=True):
    """One figure."""

    item: str
    case: str
    value: float
    unit: str


class Skip(Exception):  # noqa: N818 - not an error: the machine lacks what this item is about
    """An item that has nothing to measure here; its text says why."""


class Setting(NamedTuple):
    """Where to measure, whether only to try, and where the rows go."""

    device: str
    dry: bool
    rows: Path

    def add(self, item: str, case: str, value: float, unit: str) -> None:
        """Write one figure down."""
        with self.rows.open("ab") as file:
            file.write(msgspec.json.encode(Row(item, case, value, unit)) + b"\n")
            file.flush()
            os.fsync(file.fileno())


def read_rows(path: Path) -> list[Row]:
    """Return what is written there, without a last line that was cut off."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    return [msgspec.json.decode(line, type=Row) for line in lines[:-1]]
