"""Sensitivity and specificity from a classifier's confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from engines.errors import InputError


class Confusion(msgspec.Struct):
    """Counts of cells: a row per true class, a column per class they were called."""

    classes: Annotated[list[str], msgspec.Meta(min_length=2, max_length=1024)]
    matrix: list[list[Annotated[float, msgspec.Meta(ge=0, le=1e15)]]]
    wanted: list[str] = []


def read_confusion(path: Path, wanted: Sequence[str] = ()) -> tuple[float, float]:
    """Return `(sensitivity, specificity)` of telling the wanted classes from the others.

    The file is JSON: `{"classes": [...], "matrix": [[...], ...], "wanted": [...]}`, rows true, columns called. Within
    the wanted and the other classes the mix is that of the rows' sums.

    Parameters
    ----------
    wanted
        The wanted classes; by default those the file names.
    """
    try:
        confusion = msgspec.json.decode(path.read_bytes(), type=Confusion)
    except OSError as error:
        raise InputError(path, "file", error.strerror or str(error), "a confusion matrix") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(path, "JSON", str(error), '{"classes": [...], "matrix": [[...]]}, counts') from error
    classes = confusion.classes
    n = len(classes)
    if len(confusion.matrix) != n or any(len(row) != n for row in confusion.matrix):
        raise InputError(path, "matrix", "another shape", f"{n} rows of {n} counts, one per class")
    chosen = list(wanted) or confusion.wanted
    for name in chosen:
        if name not in classes:
            raise InputError(path, "wanted", name, f"one of {', '.join(classes)}")
    is_wanted = np.array([name in chosen for name in classes])
    counts = np.array(confusion.matrix, np.float64)
    hits, rejections = counts[is_wanted][:, is_wanted].sum(), counts[~is_wanted][:, ~is_wanted].sum()
    positives, negatives = counts[is_wanted].sum(), counts[~is_wanted].sum()
    if not (positives > 0 and negatives > 0):
        raise InputError(path, "wanted", ", ".join(chosen) or "nothing", "some classes, not all, each side with cells")
    return float(hits / positives), float(rejections / negatives)
