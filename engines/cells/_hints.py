"""Hints to a reader, as a command line says them: `NAME=VALUE`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import PurePath
from typing import Any

from engines.errors import InputError

HINT_HELP = (
    "Tell the reader of the cells: NAME=VALUE, such as tile=66 or levels=group/class (docs/cells.md). Repeatable."
)
"""What every command that reads cells says of its option `--hint`."""

_TILE = re.compile(r"(\d{1,9})(?:x(\d{1,9}))?")


def parse_hints(texts: Iterable[str] | None) -> dict[str, Any]:
    """Return hints for `open_recording` or `open_cells`, by name; none for None.

    `channels` and `features` are names separated by commas, `tile` is one number or `HxW`, `gap` and `tiles_per_cell`
    are whole numbers, the others that a reader knows are text. A name that none knows gets a number where its value is
    one; the reader refuses it by name. Raises `InputError` for a text that is not `NAME=VALUE`, a name given twice, or
    a value that cannot be.
    """
    hints: dict[str, Any] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise InputError("--hint", "hint", text, "NAME=VALUE, such as tile=66")
        if name in hints:
            raise InputError("--hint", name, value, "one value; it is given twice")
        hints[name] = _VALUES.get(name, _any)(name, value)
    return hints


def bare_hint(text: str) -> str:
    """Return a hint as typed, a file in it by its name only: a report does not tell where a user keeps files."""
    name, equals, value = text.partition("=")
    return f"{name}{equals}{PurePath(value).name}" if name.strip() == "table" else text


def _text(_: str, value: str) -> str:
    return value


def _names(name: str, value: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in value.split(","))
    if not all(found):
        raise InputError("--hint", name, value, "names separated by commas")
    return found


def _whole(name: str, value: str) -> int:
    if not re.fullmatch(r"\s*-?\d{1,9}\s*", value):
        raise InputError("--hint", name, value, "a whole number")
    return int(value)


def _tile(name: str, value: str) -> int | tuple[int, int]:
    match = _TILE.fullmatch(value.strip())
    if match is None:
        raise InputError("--hint", name, value, "the edge of a tile in pixels, such as 66, or height x width, 66x55")
    return int(match[1]) if match[2] is None else (int(match[1]), int(match[2]))


def _any(_: str, value: str) -> int | float | str:
    for number in (int, float):
        try:
            return number(value)
        except ValueError:  # also of thousands of digits
            continue
    return value


_VALUES: dict[str, Callable[[str, str], Any]] = {
    **dict.fromkeys(("kind", "groups", "levels", "pattern", "dataset", "table", "order", "pages"), _text),
    **dict.fromkeys(("channels", "features"), _names),
    **dict.fromkeys(("gap", "tiles_per_cell"), _whole),
    "tile": _tile,
}
