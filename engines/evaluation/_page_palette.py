"""A colour per class: the eight of Okabe and Ito, which most eyes tell apart, then hues by the golden angle."""

from __future__ import annotations

_FIRST = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c00", "#7f7f7f")
_GOLDEN_ANGLE = 137.508


def colour(k: int) -> str:
    """Return the CSS colour of class k."""
    if k < len(_FIRST):
        return _FIRST[k]
    return f"hsl({(k * _GOLDEN_ANGLE) % 360:.0f} {55 + 15 * (k % 3)}% {42 + 8 * (k % 2)}%)"


def dot(k: int) -> str:
    """Return a spot of that colour."""
    return f'<i class="dot" style="background:{colour(k)}"></i>'
