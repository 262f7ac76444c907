"""Which bundle and engine decide, and how many cells each has decided."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.backends import Engine
from engines.bundle import Bundle

MAX_CODE = 255
"""What a journal record can carry."""


@dataclass
class Decider:
    """A bundle on an engine, and how many cells of the series it has decided; those it never saw count as well."""

    bundle: str
    bundle_sha256: str
    engine: str
    cells: int = 0


def bundle_key(bundle: Bundle) -> tuple[str, str]:
    """Return what a bundle's cells are counted by: name and hash."""
    return bundle.manifest.name, bundle.sha256


def decider_of(engine: Engine) -> Decider:
    """Return the decider that this engine is."""
    return Decider(*bundle_key(engine.bundle), engine.name)


class Deciders:
    """Of one series, in the order in which they decided; a record's `bundle` is the index.

    Attributes
    ----------
    code
        Of the one that decides now.
    """

    def __init__(self, engine: Engine) -> None:
        self.all = [decider_of(engine)]
        self.code = 0

    def use(self, engine: Engine) -> None:
        """Let another decide from now on. When codes run out, the last stays: the journal's event still tells when."""
        new, now = decider_of(engine), self.all[-1]
        if (new.bundle_sha256, new.engine) == (now.bundle_sha256, now.engine) or self.code == MAX_CODE:
            return
        self.all.append(new)
        self.code += 1

    def add_to(self, counts: dict[tuple[str, str], int]) -> None:
        """Add the cells decided to those of their bundles, by name and hash."""
        for decider in self.all:
            key = decider.bundle, decider.bundle_sha256
            counts[key] = counts.get(key, 0) + decider.cells

    def count_one(self) -> None:
        """Count a cell that what decides now has decided."""
        self.all[self.code].cells += 1

    def count(self, rows: NDArray[np.void]) -> None:
        """Count decided cells by the code in their field `bundle`."""
        if not self.code:
            self.all[0].cells += len(rows)
            return
        for code, cells in enumerate(np.bincount(rows["bundle"]).tolist()):
            self.all[code].cells += cells
