"""A confusion as a picture: counts or shares of the row, coloured by the share; right ones and wrong ones differ."""

from __future__ import annotations

from engines.evaluation._page_text import count, escape
from engines.evaluation._types import Figures

_WIDE = 460
_LEAST, _MOST = 13, 52
_LABEL = 14
_ALL_SQUARES = 60
_EM = 6.2


def confusion(figures: Figures, *, normalised: bool) -> str:
    """Return the confusion as SVG: rows are the true classes, columns what they were called."""
    names = [escape(_shortened(name)) for name in figures.classes]
    k = len(names)
    side = max(_LEAST, min(_MOST, _WIDE // k))
    font, label = max(6.0, min(12.0, side * 0.3)), min(11.0, side * 0.8)
    margin = int(max(len(_shortened(name)) for name in figures.classes) * _EM * label / 11) + 12
    parts = [_names(names, side, margin, label)]
    for i, counts in enumerate(figures.confusion):
        shares = figures.confusion_normalised[i]
        for j, n in enumerate(counts):
            if not n and k > _ALL_SQUARES:
                continue
            share = 0.0 if shares is None else shares[j]
            text = _share(share) if normalised else _brief(n, side)
            title = f"{escape(figures.classes[i])} called {escape(figures.classes[j])}: {count(n)}, {100 * share:.1f} %"
            parts.append(
                _square(margin + j * side, margin + i * side, side, share, text if n else "", title, font, i == j)
            )
    size = margin + k * side + 2
    word = "shares of the row" if normalised else "counts"
    return (
        f'<svg viewBox="0 0 {size} {size}" width="{size}" role="img" aria-label="Confusion, {word}">'
        f"{''.join(parts)}</svg>"
    )


def _names(names: list[str], side: int, margin: int, font: float) -> str:
    parts = []
    for k, name in enumerate(names):
        middle = margin + (k + 0.5) * side
        base = middle + 0.36 * font
        parts.append(f'<text x="{margin - 6}" y="{base:.1f}" text-anchor="end">{name}</text>')
        parts.append(f'<text transform="translate({base:.1f} {margin - 6}) rotate(-90)">{name}</text>')
    return f'<g font-size="{font:.1f}">{"".join(parts)}</g>'


def _square(x: int, y: int, side: int, share: float, text: str, title: str, font: float, hit: bool) -> str:
    colour = "hit" if hit else "miss"
    parts = [f'<g><title>{title}</title><rect class="empty" x="{x}" y="{y}" width="{side}" height="{side}"/>']
    if share:
        # Not in proportion, so that a share of a few percent can be seen at all.
        opacity = 0.08 + 0.87 * share**0.6
        parts.append(f'<rect class="{colour}" x="{x}" y="{y}" width="{side}" height="{side}" opacity="{opacity:.2f}"/>')
    if text:
        kind = ' class="inverse"' if share > 0.5 else ""
        parts.append(
            f'<text{kind} x="{x + side / 2:.1f}" y="{y + side / 2 + font * 0.36:.1f}" text-anchor="middle" '
            f'font-size="{font:.1f}">{text}</text>'
        )
    return "".join(parts) + "</g>"


def _shortened(name: str) -> str:
    return name if len(name) <= _LABEL else name[: _LABEL - 1] + "…"


def _share(share: float) -> str:
    return f"{100 * share:.0f}" if share >= 0.005 else "&lt;1"


def _brief(n: int, side: int) -> str:
    """Return a count that fits: of squares too small for it, thousands and millions."""
    if len(str(n)) * 0.62 * max(6.0, side * 0.3) <= side:
        return str(n)
    return f"{n / 1000:.0f}k" if n < 1_000_000 else f"{n / 1_000_000:.0f}M"
