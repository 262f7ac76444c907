"""Text and numbers for the page: escaped, and grouped by thin spaces so that long counts can be read."""

from __future__ import annotations

import html

THIN = "\u202f"


def escape(value: object) -> str:
    """Return the text for HTML, without control characters: names come from files and from other machines."""
    return html.escape("".join(c if c.isprintable() or c == THIN else "\ufffd" for c in str(value)))


def count(value: int) -> str:
    """Return a count in groups of three."""
    return f"{value:,}".replace(",", THIN)


def number(value: float, digits: int) -> str:
    """Return a number with so many decimals, in groups of three."""
    return f"{value:,.{digits}f}".replace(",", THIN)


def words(label: str) -> str:
    """Return a label such as `engine_fault` as words, escaped."""
    return escape(label.replace("_", " "))
