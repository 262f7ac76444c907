"""How many labelled cells a table calls by their label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.results import Results


@dataclass
class Accuracy:
    """Cells with a label that the bundle knows, and how many of them got it; `seen` of them it was trained on."""

    cells: int = 0
    right: int = 0
    seen: int = 0
    seen_right: int = 0

    def __str__(self) -> str:
        if self.seen == self.cells:
            what = "all of them cells the bundle was trained or tuned on: no measure of how it does on others"
            return f"accuracy {self.right / self.cells:.4f} of {self.cells} labelled cells, {what}"
        cells, right = self.cells - self.seen, self.right - self.seen_right
        rest = f" ({self.seen} cells the bundle was trained or tuned on are not counted)" if self.seen else ""
        return f"accuracy {right / cells:.4f} of {cells} labelled cells{rest}"


def accuracy_of(results: Results) -> Accuracy | None:
    """Return the accuracy of a table with `label` and `class`; None where no cell has a label among the classes."""
    columns = {column.name: column for column in results.head.columns}
    if "label" not in columns:
        return None
    known = {name: code for code, name in enumerate(columns["class"].labels)}
    codes = np.array([known.get(name, -1) for name in columns["label"].labels] + [-1], np.int32)
    found = Accuracy()
    for chunk in results.chunks():
        wanted = codes[chunk.columns["label"]]
        counted, right = wanted >= 0, wanted == chunk.columns["class"]
        seen = chunk.columns.get("seen", np.zeros(len(chunk), np.bool_)) & counted
        found.cells += int(counted.sum())
        found.right += int((counted & right).sum())
        found.seen += int(seen.sum())
        found.seen_right += int((seen & right).sum())
    return found if found.cells else None
