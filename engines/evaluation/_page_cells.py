"""Cells to look at: of each class the surest right ones and the surest wrong ones, with what the bundle says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.evaluation._evaluation import Evaluation
from engines.evaluation._examples import CLASSES_SHOWN, channel_ranges, choose_examples, picture
from engines.evaluation._page_palette import dot
from engines.evaluation._page_text import count, escape
from engines.evaluation._png import data_uri

_SHOWN = 3
_TALL = 88


def example_cells(evaluation: Evaluation) -> str:
    """Return a gallery per class that has cells."""
    chosen = choose_examples(evaluation)
    ranges = channel_ranges(evaluation, np.concatenate([part for c in chosen for part in (c.right, c.wrong)]))
    some = f" The first {CLASSES_SHOWN} classes." if len(evaluation.figures.classes) > CLASSES_SHOWN else ""
    parts = [f'<p class="text">Left to right: {_channels(evaluation)}. {_HOW}{some}</p>']
    for k, examples in enumerate(chosen):
        kinds = [part.tolist() for part in (examples.right, examples.wrong) if len(part)]
        if kinds:
            parts.append(f"<h3>{dot(k)}{escape(evaluation.figures.classes[k])}</h3>")
        for found in kinds:
            cells = "".join(_cell(evaluation, position, ranges) for position in found)
            parts.append(f'<div class="gallery">{cells}</div>')
    return "".join(parts)


_HOW = (
    "The surest cells of each class that were called rightly (blue edge), then the surest that were not (orange edge). "
    "One range of counts per channel for all pictures."
)


def _channels(evaluation: Evaluation) -> str:
    shown = evaluation.bundle.manifest.input.channels
    names = [f"{name}{'' if name in shown else ' (not shown to the bundle)'}" for name in evaluation.cells.channels]
    return escape(", ".join(names))


def _cell(evaluation: Evaluation, position: int, ranges: NDArray[np.float64]) -> str:
    p, truth = evaluation.probabilities[position], int(evaluation.labels[position])
    grey = picture(evaluation, position, ranges)
    scale = max(1, round(_TALL / grey.shape[0]))
    order = np.argsort(-p, kind="stable")[:_SHOWN]
    said = "<br>".join(f"{escape(evaluation.figures.classes[k])} {p[k]:.3f}" for k in order)
    off = "" if order[0] == truth else " off"
    which = int(evaluation.rows[position])
    name = escape(f"cell {which}, {evaluation.figures.classes[truth]}")
    return (
        f'<figure class="cell{off}"><img src="{data_uri(grey)}" alt="{name}" width="{grey.shape[1] * scale}" '
        f'height="{grey.shape[0] * scale}"><figcaption>cell {count(which)}<br>{said}</figcaption></figure>'
    )
