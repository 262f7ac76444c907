"""Headline figures and tables of the page."""

from __future__ import annotations

from engines.evaluation._evaluation import Found
from engines.evaluation._page_palette import dot
from engines.evaluation._page_text import NONE, cells, count, escape, percent, span, table
from engines.evaluation._types import AtClassMix, Figures, Weighted

_GROUPS_SHOWN = 200
_RARE = 20


def tiles(figures: Figures) -> str:
    """Return the headline figures with their 95 % intervals."""
    shown = (
        ("Accuracy", percent(figures.accuracy), span(figures.accuracy_95.wilson)),
        ("Balanced accuracy", percent(figures.balanced_accuracy), span(figures.balanced_accuracy_95)),
        ("Macro F1", f"{figures.macro_f1:.3f}", "mean over classes"),
        ("Calibration error", percent(figures.ece), "expected, 15 bins"),
        ("Log-likelihood", f"{figures.nll:.3f}", "negative, nats"),
        ("Brier score", f"{figures.brier:.3f}", "0 best, 2 worst"),
    )
    drawn = "".join(
        f'<div><p class="label">{label}</p><p class="figure">{value}</p><p class="small">{more}</p></div>'
        for label, value, more in shown
    )
    return f'<div class="tiles">{drawn}</div>'


def class_table(figures: Figures, *, dots: bool = True) -> str:
    """Return a row per class."""
    rows = [
        [
            f"{dot(k) if dots else ''}{escape(c.name)}",
            count(c.cells),
            count(c.predicted),
            f'{percent(c.recall)} <span class="small">{span(c.recall_95)}</span>',
            f'{percent(c.precision)} <span class="small">{span(c.precision_95)}</span>',
            NONE if c.f1 is None else f"{c.f1:.3f}",
            NONE if c.roc_auc is None else f"{c.roc_auc:.4f}",
            NONE if c.average_precision is None else f"{c.average_precision:.3f}",
        ]
        for k, c in enumerate(figures.per_class)
    ]
    return table(["class", "cells", "called so", "recall", "precision", "F1", "ROC AUC", "average precision"], rows)


def mix_table(mixes: list[tuple[str, AtClassMix]]) -> str:
    """Return accuracies at the class mix, a row per task, and the mix itself."""
    head = [
        "task",
        "decisions as they are",
        "standard error",
        "95 %",
        "corrected for the mix",
        "standard error",
        "95 %",
    ]
    rows = [[escape(name), *_weighted(m.recall_weighted), *_weighted(m.prior_corrected)] for name, m in mixes]
    mix = mixes[0][1]
    shares = [[escape(name), percent(share, 2), percent(mix.prior[name], 2)] for name, share in mix.mix.items()]
    notes = [
        f"Corrected: each probability times its class's share of the mix over its share of {escape(mix.prior_from)}."
    ]
    if mix.without_cells:
        missing = escape(", ".join(mix.without_cells))
        notes.append(
            f"No cells of {missing}: the figures are over the other {percent(mix.covered_share, 2)} of the mix."
        )
    if mix.prior_unknown:
        notes.append(f"Left uncorrected, for lack of a share: {escape(', '.join(mix.prior_unknown))}.")
    prior = "the cells had" if mix.prior_from != "the bundle" else "the bundle supposes"
    shares_table = table(["class", "share of the mix", f"share {prior}"], shares)
    return f'{table(head, rows)}<p class="small">{" ".join(notes)}</p><h3>The mix</h3>{shares_table}'


def unknown_table(found: Found) -> str:
    """Return a row per class the bundle does not know."""
    wanted = [s.wanted_error for s in found.figures.abstention.suggested]
    rows = []
    for c in found.unknown_classes:
        called = ", ".join(f"{escape(name)} {count(n)}" for name, n in list(c.called.items())[:3])
        refused = [percent(c.refused[f"{error:g}"]) for error in wanted]
        rows.append([escape(c.name), called, count(c.cells), f"{c.mean_confidence:.3f}", *refused])
    head = ["class", "called", "cells", "mean top probability", *(f"refused, {percent(w, 0)} error" for w in wanted)]
    return table(head, rows, left=2)


def group_table(found: Found) -> str:
    """Return a row per group, the worst first, at most 200."""
    groups = sorted(found.groups or [], key=lambda g: g.accuracy)
    rows = [
        [
            escape(g.name or "(unknown)"),
            count(g.cells),
            percent(g.accuracy),
            span(g.accuracy_95.wilson),
            percent(g.balanced_accuracy),
            span(g.balanced_accuracy_95),
        ]
        for g in groups[:_GROUPS_SHOWN]
    ]
    more = len(groups) - len(rows)
    rest = f'<p class="small">and {count(more)} better ones</p>' if more else ""
    return table(["group", "cells", "accuracy", "95 %", "balanced accuracy", "95 %"], rows) + rest


def notes(found: Found) -> str:
    """Return what must be known beside the numbers."""
    said = []
    if found.seen_cells is None:
        said.append("The bundle carries no fingerprints: whether it was trained on these cells cannot be told.")
    elif found.seen_cells:
        said.append(
            f"Of {cells(found.figures.cells)}, {count(found.seen_cells)} seen while the bundle was trained. The "
            "figures flatter it; --unseen-only leaves those cells out."
        )
    rare = [f"{c.name} ({c.cells})" for c in found.figures.per_class if 0 < c.cells < _RARE]
    if rare:
        said.append(f"Of these classes there are fewer than {_RARE} cells, so little is known: {', '.join(rare)}.")
    if found.classes_without_cells:
        said.append(f"Without cells here: {', '.join(found.classes_without_cells)}. They count in no mean.")
    said += [f"{cells(n)} not read: {reason}." for reason, n in found.skipped.items()]
    if found.unlabelled:
        said.append(f"{cells(found.unlabelled)} left out for lack of a label.")
    if found.left_out_seen:
        said.append(f"{cells(found.left_out_seen)} left out that training had looked at.")
    if found.unknown_classes:
        n = sum(c.cells for c in found.unknown_classes)
        said.append(f"{cells(n)} of classes the bundle does not know, in a section of their own.")
    return f'<section><ul class="notes">{"".join(f"<li>{escape(s)}</li>" for s in said)}</ul></section>' if said else ""


def _weighted(w: Weighted | None) -> list[str]:
    return [NONE, NONE, NONE] if w is None else [percent(w.accuracy), percent(w.standard_error), span(w.accuracy_95)]
