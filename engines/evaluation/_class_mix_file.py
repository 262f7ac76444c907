"""Read and check a class mix: how many cells of each class, or which share."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from engines.errors import InputError

_MAX_BYTES = 1 << 20
_MAX_WEIGHT = 1e15


def read_class_mix(path: str | Path, classes: Sequence[str]) -> dict[str, float]:
    """Read a class mix from a JSON object or, where the name ends in `.toml`, a TOML table.

    Raises
    ------
    InputError
        Naming the file and the class: not readable, not an object of numbers, or `check_mix` refuses it.
    """
    source = Path(path)
    try:
        with source.open("rb") as stream:
            raw = stream.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        found = getattr(error, "strerror", None) or str(error)
        raise InputError(source, "class mix", found, "a readable file") from error
    if len(raw) > _MAX_BYTES:
        raise InputError(source, "size", "over 1 MiB", "at most 1 MiB")
    kind = "TOML" if source.suffix.lower() == ".toml" else "JSON"
    try:
        text = raw.decode("utf-8-sig")
        mix = tomllib.loads(text) if kind == "TOML" else json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:  # of both parsers, and of bytes that are no text
        raise InputError(source, "class mix", str(error), f"{kind} with a number for each class") from error
    return check_mix(mix, classes, source)


def check_mix(mix: object, classes: Sequence[str], source: object = "class mix") -> dict[str, float]:
    """Return the mix in the order of `classes`: a finite number of 0 or more for each, not all of them 0."""
    if not isinstance(mix, Mapping):
        raise InputError(source, "class mix", type(mix).__name__, "a number for each class")
    for name in mix:
        if name not in classes:
            raise InputError(source, "class", str(name), f"one of {', '.join(classes)}")
    for name in classes:
        if name not in mix:
            raise InputError(source, name, "nothing", "a count or share; 0 for a class that does not come")
        weight = mix[name]
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not 0 <= weight <= _MAX_WEIGHT:  # NaN is in no range
            raise InputError(source, name, weight, "a count or share of 0 or more")
    if not any(mix.values()):
        raise InputError(source, "class mix", "0 for every class", "a class that comes")
    return {name: float(mix[name]) for name in classes}


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a class named twice")
    return found
