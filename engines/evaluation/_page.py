"""The evaluation as a page: one HTML file that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from engines.errors import InputError
from engines.evaluation._embedding_map import MapKind
from engines.evaluation._evaluation import Evaluation, Found
from engines.evaluation._page_cells import example_cells
from engines.evaluation._page_confusion import confusion
from engines.evaluation._page_curves import coverage_curve, reliability_diagram, suggestions
from engines.evaluation._page_map import embedding_map
from engines.evaluation._page_style import STYLE
from engines.evaluation._page_tables import class_table, group_table, mix_table, notes, tiles, unknown_table
from engines.evaluation._page_text import count, escape, percent
from engines.evaluation._types import Figures

PAGE_NAME = "index.html"
_HASH_SHOWN = 12


def write_report(evaluation: Evaluation, directory: str | Path, *, map_kind: MapKind = "pca") -> Path:
    """Write the page into `directory`, which is made where it is missing, and return its path.

    It appears whole or not at all. Raises `InputError` where it cannot be written, `MissingExtraError` where a t-SNE
    map was asked for and scikit-learn is missing.
    """
    page = format_page(evaluation, map_kind=map_kind)
    path = Path(directory) / PAGE_NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(PAGE_NAME + ".partial")
        partial.write_text(page, encoding="utf-8")
        partial.replace(path)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        found = getattr(error, "strerror", None) or str(error)
        raise InputError(directory, "report", found, "a directory that can be written") from error
    return path


def format_page(evaluation: Evaluation, *, map_kind: MapKind = "pca") -> str:
    """Return the page as HTML."""
    found, figures = evaluation.found, evaluation.figures
    sections = [
        notes(found),
        _section("Classes", class_table(figures)),
        _section("Confusion", _confusions(figures)),
        _section("Calibration and abstention", _curves(figures)),
        _section("Classes merged", _merged(figures)),
        _section("At a class mix", _mixes(figures)),
        _section("Groups", group_table(found) if found.groups is not None else ""),
        _section("Cells of other classes", _unknown(found)),
        _section("Cells", example_cells(evaluation)),
        _section("Embedding", embedding_map(evaluation, map_kind)),
    ]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(f"Evaluation of {found.made.bundle}")}</title>
<style>{STYLE}</style>
</head>
<body>
{_header(found)}
{tiles(figures)}
{"".join(sections)}
{_footer(evaluation)}
</body>
</html>
"""


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>\n" if content else ""


def _header(found: Found) -> str:
    made = found.made
    classes = len(found.figures.classes) - len(found.classes_without_cells)
    facts = {
        "Bundle": f"{made.bundle} · {made.bundle_sha256[:_HASH_SHOWN]}…",
        "Engine": made.engine,
        "Cells": f"{count(found.figures.cells)} of {classes} classes",
        "Date": made.date.replace("T", " ").replace("Z", " UTC"),
    }
    cells = "".join(f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>" for name, text in facts.items())
    title = escape(f"{made.bundle} on {made.cells}")
    return f'<header><p class="kind">Evaluation</p><h1>{title}</h1><dl class="facts">{cells}</dl></header>'


def _confusions(figures: Figures) -> str:
    return (
        '<p class="text small">Rows: true class. Columns: what it was called. Coloured by the share of the row; blue '
        'is right, orange is wrong.</p><div class="two">'
        f"<div><h3>Counts</h3>{confusion(figures, normalised=False)}</div>"
        f"<div><h3>Percent of the row</h3>{confusion(figures, normalised=True)}</div></div>"
    )


def _curves(figures: Figures) -> str:
    return (
        f'<div class="two"><div><h3>Reliability</h3>{reliability_diagram(figures)}</div>'
        f"<div><h3>Error against share decided</h3>{coverage_curve(figures.abstention)}</div></div>"
        f"<h3>Thresholds on the top probability</h3>{suggestions(figures.abstention)}"
        '<p class="small">Assured: even the upper end of the error\'s 95 % interval is below what was wanted. '
        "Chosen on the cells they are judged by, both kinds are somewhat hopeful.</p>"
    )


def _merged(figures: Figures) -> str:
    if figures.merged is None:
        return ""
    merged = figures.merged
    how = "; ".join(f"{', '.join(members)} as {name}" for name, members in merged.merge.items())
    return (
        f'<p class="text">{escape(how)}. Probabilities were summed, then the largest decides; merging the decisions '
        f"instead gives {percent(merged.accuracy_of_decisions)}.</p>{tiles(merged.figures)}"
        f"<h3>Classes</h3>{class_table(merged.figures, dots=False)}{_confusions(merged.figures)}"
    )


def _mixes(figures: Figures) -> str:
    if figures.at_class_mix is None:
        return ""
    mixes = [(f"{len(figures.classes)} classes", figures.at_class_mix)]
    if figures.merged is not None and figures.merged.figures.at_class_mix is not None:
        merged = figures.merged.figures
        mixes.append((f"{len(merged.classes)} classes, merged", merged.at_class_mix))  # type: ignore[arg-type]
    return mix_table(mixes)


def _unknown(found: Found) -> str:
    if not found.unknown_classes:
        return ""
    return (
        '<p class="text">The bundle has no name for these cells and can only refuse them. Refused: their top '
        "probability is below the threshold that was suggested above for that error.</p>" + unknown_table(found)
    )


def _footer(evaluation: Evaluation) -> str:
    made = evaluation.found.made
    versions = ", ".join(f"{name} {number}" for name, number in made.versions.items())
    accuracy = evaluation.figures.accuracy_95.normal
    lines = [
        f"Error ε ± 1.96·√(ε(1 − ε)/N), as Yao et al. 2019 give it: {percent(evaluation.figures.error, 2)} ± "
        f"{percent(evaluation.figures.error_half_width_95, 2)}, accuracy {percent(accuracy[0])} to "
        f"{percent(accuracy[1])}. All other intervals of shares are Wilson's, 95 %.",
        f"Bundle SHA-256 {escape(made.bundle_sha256)}",
        escape(versions),
        escape(made.command),
    ]
    first, *rest = lines
    machine = "".join(f'<p class="mono">{line}</p>' for line in rest if line)
    return f'<footer><h2>How it was made</h2><p class="small">{first}</p>{machine}</footer>'
