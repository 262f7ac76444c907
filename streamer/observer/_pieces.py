"""The small parts that the sections of the dashboard are made of."""

from __future__ import annotations

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

ACCENT, GOOD, WARN, BAD, QUIET = "cyan", "green", "yellow", "bold red", "bright_black"


def section(title: str, *content: RenderableType) -> Group:
    """Return content under a titled line."""
    return Group(Rule(Text(title, style=f"bold {ACCENT}"), align="left", style=QUIET), *content)


def titled(title: str, *headings: str) -> Table:
    """Return a table of name, room and a column per heading, whose first row is its title and takes no line more."""
    table = grid("left", "fill", *("right" for _ in headings))
    table.add_row(Text(title, style=f"bold {ACCENT}"), Rule(style=QUIET), *map(label, headings))
    return table


def grid(*columns: str) -> Table:
    """Return a borderless table. Each column is `left`, `right`, or `fill` for the one that takes the room left."""
    table = Table.grid(expand=True, padding=(0, 1))
    for column in columns:
        if column == "fill":
            table.add_column(ratio=1, no_wrap=True)
        else:
            table.add_column(justify="left" if column == "left" else "right", no_wrap=True)
    return table


def label(text: str) -> Text:
    """Return the name of a figure."""
    return Text(text, style=QUIET)


def bar(part: float, whole: float, color: str = ACCENT) -> Bar:
    """Return a bar that fills its column by this share."""
    filled = min(1.0, max(0.0, part / whole)) if whole > 0 else 0.0
    return Bar(1.0, 0, filled, color=color)


def mark(*, good: bool) -> Text:
    """Return ✓ or ✗."""
    return Text("✓", style=f"bold {GOOD}") if good else Text("✗", style=BAD)
