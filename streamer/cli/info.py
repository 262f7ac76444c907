"""`cellgate info`: what a file or folder of recorded cells holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engines.cells import HINT_HELP, Recording, Summary, contact_sheet, open_recording, parse_hints, summarise
from engines.cells._recording import plain_text
from engines.errors import InputError

_MOST = 40
_MOST_ABOUT = 12


def info_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Recorded cells: a file or a folder.")],
    sheet: Annotated[
        Path | None, typer.Option("--contact-sheet", metavar="PNG", help="Write a picture of cells × channels here.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The figures as JSON.")] = False,
    look_at: Annotated[
        int, typer.Option(min=1, help="Read at most this many cells, spread evenly over the recording.")
    ] = 10_000,
    hint: Annotated[list[str] | None, typer.Option("--hint", metavar="NAME=VALUE", help=HINT_HELP)] = None,
) -> None:
    """Say what recorded cells are in a file or folder, whatever its format."""
    with open_recording(file, **parse_hints(hint)) as cells:
        summary = summarise(cells, look_at=look_at)
        summary.name = plain_text(summary.name)
        drawn = sheet is not None and summary.looked_at > 0
        if sheet is not None and drawn:
            _write_sheet(cells, sheet)
    if sheet is not None and not drawn:
        typer.echo(f"{sheet}: not written, there is no cell to show", err=True)
    if json:
        typer.echo(msgspec.json.format(msgspec.json.encode(summary), indent=2))
        return
    for line in lines(summary):
        typer.echo(line)


def lines(summary: Summary) -> list[str]:
    """Return the summary as lines of text."""
    unit = "" if summary.pixel_um is None else f", pixel {summary.pixel_um:g} µm"
    some = summary.sampled
    rows = [
        ("kind", summary.kind),
        ("cells", f"{summary.cells}" + (f"; what follows is of {summary.looked_at} spread over them" if some else "")),
        ("size", f"{_span(summary.heights)} × {_span(summary.widths)} pixels (height × width){unit}"),
        ("channels", ", ".join(summary.channels)),
        ("dtype", summary.dtype),
        ("classes", _counts(summary.classes) if summary.classes else "none"),
    ]
    if summary.classes and summary.unlabelled:
        rows.append(("no class", str(summary.unlabelled)))
    rows.append(("groups", _counts(summary.groups) if summary.groups else "none"))
    if summary.trigger_rate is not None:
        rows.append(("trigger rate", f"{summary.trigger_rate:.4g} cells/s"))
    if summary.facts:
        rows.append(("facts", ", ".join(summary.facts[:_MOST]) + _more(len(summary.facts))))
    rows += [("skipped", f"{count}: {reason}") for reason, count in list(summary.skipped.items())[:_MOST]]
    rows += [("about", f"{key}: {value}") for key, value in list(summary.about.items())[:_MOST_ABOUT]]
    if len(summary.about) > _MOST_ABOUT:
        rows.append(("about", f"{len(summary.about) - _MOST_ABOUT} more: --json shows all"))
    return [_plain(f"{name:<13}{text}") for name, text in rows]


def _write_sheet(cells: Recording, path: Path) -> None:
    picture = contact_sheet(cells)
    try:
        path.write_bytes(picture)
    except OSError as error:
        raise InputError(path, "--contact-sheet", error.strerror or str(error), "a file that can be written") from error


def _span(sides: tuple[float, float, float]) -> str:
    low, middle, high = sides
    return f"{low:g}" if low == high else f"{low:g}–{middle:g}–{high:g}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in list(counts.items())[:_MOST]) + _more(len(counts))


def _more(n: int) -> str:
    return f" and {n - _MOST} more" if n > _MOST else ""


def _plain(text: str) -> str:
    """Return a line without the control characters that a file may hold."""
    return "".join(c if c.isprintable() else " " for c in text)
