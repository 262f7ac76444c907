"""The main figures on a terminal."""

from __future__ import annotations

import sys

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from engines.evaluation._evaluation import Evaluation
from engines.evaluation._types import AtClassMix, Figures, Interval, Weighted


def print_evaluation(evaluation: Evaluation) -> None:
    """Print tables of the main figures on standard output, and what must be known beside them."""
    console = Console(file=sys.stdout, highlight=False)  # made when it prints, so that a redirected stdout is seen
    found, figures = evaluation.found, evaluation.figures
    console.print(_plain(f"{found.made.bundle} on {found.made.cells}, {figures.cells:,} cells, {found.made.engine}"))
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("", "value", "95 %"):
        table.add_column(name, justify="left" if not name else "right")
    rows = [*_headline("", figures), *_mix("", figures.at_class_mix)]
    if figures.merged is not None:
        merged = figures.merged.figures
        rows += [*_headline("merged: ", merged)[:2], *_mix("merged: ", merged.at_class_mix)]
    for row in rows:
        table.add_row(*map(_plain, row))
    console.print(table)
    classes = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("class", "cells", "recall", "95 %", "precision", "F1"):
        classes.add_column(name, justify="left" if name == "class" else "right", overflow="fold")
    for c in figures.per_class:
        f1 = "-" if c.f1 is None else f"{c.f1:.3f}"
        cells = (c.name, f"{c.cells:,}", _share(c.recall), _span(c.recall_95), _share(c.precision), f1)
        classes.add_row(*map(_plain, cells))
    console.print(classes)
    for line in _lines(evaluation):
        console.print(_plain(line), soft_wrap=True)


def _headline(prefix: str, figures: Figures) -> list[tuple[str, str, str]]:
    return [
        (f"{prefix}accuracy", _share(figures.accuracy), _span(figures.accuracy_95.wilson)),
        (f"{prefix}balanced accuracy", _share(figures.balanced_accuracy), _span(figures.balanced_accuracy_95)),
        ("macro F1", f"{figures.macro_f1:.4f}", ""),
        ("calibration error", f"{figures.ece:.4f}", ""),
        ("negative log-likelihood", f"{figures.nll:.4f}", ""),
        ("Brier score", f"{figures.brier:.4f}", ""),
    ]


def _mix(prefix: str, mix: AtClassMix | None) -> list[tuple[str, str, str]]:
    if mix is None:
        return []
    rows: list[tuple[str, Weighted | None]] = [
        (f"{prefix}accuracy at the class mix", mix.recall_weighted),
        (f"{prefix}the same, corrected for it", mix.prior_corrected),
    ]
    return [(name, "-", "") if w is None else (name, _share(w.accuracy), _span(w.accuracy_95)) for name, w in rows]


def _lines(evaluation: Evaluation) -> list[str]:
    found = evaluation.found
    lines = []
    for s in evaluation.figures.abstention.suggested:
        if s.threshold is not None:
            lines.append(
                f"error {s.wanted_error:.0%}: threshold {s.threshold:.4f} decides {s.coverage:.1%} of the cells"
            )
        else:
            lines.append(f"error {s.wanted_error:.0%}: no threshold keeps to it")
    if found.seen_cells is None:
        lines.append("warning: the bundle carries no fingerprints, so cells it was trained on are not known")
    elif found.seen_cells:
        lines.append(f"warning: {found.seen_cells:,} of the cells were seen in training; --unseen-only leaves them out")
    if found.left_out_seen:
        lines.append(f"left out: {found.left_out_seen:,} cells seen in training")
    lines += [f"not read: {n:,} cells, {reason}" for reason, n in found.skipped.items()]
    if found.unlabelled:
        lines.append(f"left out: {found.unlabelled:,} cells without a label")
    lines += [f"unknown to the bundle: {c.name}, {c.cells:,} cells" for c in found.unknown_classes]
    if found.classes_without_cells:
        lines.append(f"without cells: {', '.join(found.classes_without_cells)}")
    groups = sorted(found.groups or [], key=lambda g: g.accuracy)
    lines += [
        f"group {g.name or '(unknown)'}: {g.cells:,} cells, accuracy {g.accuracy:.4f} {_span(g.accuracy_95.wilson)}"
        for g in groups
    ]
    return lines


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.4f}"


def _span(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"


def _plain(value: object) -> Text:
    """Return the text without markup and without control characters: names come from files."""
    return Text("".join(c if c.isprintable() else "�" for c in str(value)))
