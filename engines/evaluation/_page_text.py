"""Text and numbers for the page: escaped, shares in percent, long counts in groups of three."""

from __future__ import annotations

import html

from engines.evaluation._types import Interval

THIN = "\u202f"
NONE = "–"


def escape(value: object) -> str:
    """Return the text for HTML, without control characters: names come from files."""
    return html.escape("".join(c if c.isprintable() or c == THIN else "\ufffd" for c in str(value)))


def count(value: int) -> str:
    """Return a count in groups of three."""
    return f"{value:,}".replace(",", THIN)


def cells(n: int) -> str:
    """Return how many cells, in words."""
    return f"{count(n)} cell{'' if n == 1 else 's'}"


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share in percent, a dash where there is none."""
    return NONE if share is None else f"{100 * share:.{digits}f}{THIN}%"


def span(interval: Interval | None, digits: int = 1) -> str:
    """Return an interval of a share in percent."""
    return "" if interval is None else f"{100 * interval[0]:.{digits}f} – {100 * interval[1]:.{digits}f}{THIN}%"


def table(head: list[str], rows: list[list[str]], left: int = 1) -> str:
    """Return a table of HTML cells; all but the first `left` columns are numbers."""
    kinds = ["" if i < left else ' class="n"' for i in range(len(head))]
    top = "".join(f"<th{kind}>{text}</th>" for kind, text in zip(kinds, head, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{text}</td>' for kind, text in zip(kinds, row, strict=True))}</tr>" for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
