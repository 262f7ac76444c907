"""Names from what a file keeps texts in."""

from __future__ import annotations

from collections.abc import Iterable

from engines.errors import CellsError

_MAX_TEXT = 4096
_MAX_ALL = 256 << 20


def as_texts(source: object, field: str, values: Iterable[object]) -> tuple[str, ...]:
    """Return bytes, NumPy texts or texts as `str`; `CellsError` for others, over-long ones and bytes not UTF-8."""
    texts: list[str] = []
    total = 0
    for value in values:
        try:
            text = value.decode() if isinstance(value, bytes) else value
        except UnicodeDecodeError:
            raise CellsError(source, field, repr(value), "UTF-8") from None
        if not isinstance(text, str):
            raise CellsError(source, field, type(value).__name__, "texts")
        total += len(text)
        if len(text) > _MAX_TEXT or total > _MAX_ALL:
            raise CellsError(source, field, f"{max(len(text), total)} characters", f"at most {_MAX_TEXT} per name")
        texts.append(str(text))
    return tuple(texts)
