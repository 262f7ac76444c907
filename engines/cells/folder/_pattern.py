"""Which cell and channel an image is of, by its name."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from engines.errors import InputError

MEANINGS = ("cell", "channel", "group", "class")
_MAX_LENGTH = 300
_MAX_STEPS = 2**26
"""The most ways in which the variable parts of a pattern may share out a name, 255 ways each if they have no end."""
_WORDS = (
    "bf|brightfield|bright-field|df|darkfield|dark-field|ssc|fsc|phase|dic|fl\\d?|fluo|fluorescence|pi|dapi|hoechst"
    "|draq5|7aad|fitc|gfp|pe|apc|cy\\d|mcherry|rfp|yfp"
)
COMMON = (
    # <cell>_Ch1.tif, <cell>_Ch9.ome.tif, <cell>-ch01.png: what Amnis' software exports, and BBBC048
    re.compile(r"(?P<cell>.+?)[_-](?P<channel>ch(?:annel)?[_-]?\d{1,3})", re.IGNORECASE),
    # <cell>-brightfield.png, <cell>_PI.tif
    re.compile(rf"(?P<cell>.+?)[_-](?P<channel>{_WORDS})", re.IGNORECASE),
)
_ENDING = re.compile(r"(?:\.ome)?\.[a-z]{3,4}", re.IGNORECASE)


class Named(NamedTuple):
    """What a name says: empty where it does not."""

    cell: str
    channel: str = ""
    group: str = ""
    label: str = ""


Namer = Callable[[str], Named | None]


def whole_name(name: str) -> Named:
    """Take an image for a cell of its own."""
    return Named(stem(name))


def common_namer(names: Iterable[str]) -> Namer:
    """Return the common pattern that most of these names follow; `whole_name` where they follow none."""
    stems = [stem(name) for name in names]
    for pattern in COMMON:
        if stems and sum(pattern.fullmatch(name) is not None for name in stems) > 0.5 * len(stems):
            return _namer(pattern)
    return whole_name


def given_namer(pattern: str, source: object) -> Namer:
    """Return the namer of a pattern a user gives; it must fit the whole name, without the ending.

    Raises `InputError` for one that is no regular expression, has no group `cell`, or could take forever.
    """
    if len(pattern) > _MAX_LENGTH:
        raise InputError(source, "pattern", pattern, f"at most {_MAX_LENGTH} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a later Python may read differently
            compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise InputError(source, "pattern", str(error), "a regular expression") from error
    if "cell" not in compiled.groupindex or not set(compiled.groupindex) <= set(MEANINGS):
        found = ", ".join(compiled.groupindex) or "no named group"
        raise InputError(source, "pattern", found, f"(?P<cell>…), and of {', '.join(MEANINGS[1:])} what there is")
    if steps(pattern) > _MAX_STEPS:
        expected = "fewer parts of variable length: give bounds such as {1,9}, and repeat no group"
        raise InputError(source, "pattern", pattern, expected)
    return _namer(compiled)


def stem(name: str) -> str:
    """Return a file's name without its ending, `.ome.tif` as a whole."""
    found = list(_ENDING.finditer(name))
    return name[: found[-1].start()] if found and found[-1].end() == len(name) and found[-1].start() else name


def _namer(pattern: re.Pattern[str]) -> Namer:
    def name_of(name: str) -> Named | None:
        match = pattern.fullmatch(stem(name))
        if match is None:
            return None
        said = {key: value or "" for key, value in match.groupdict().items()}
        if not said["cell"]:
            return None
        return Named(said["cell"], said.get("channel", ""), said.get("group", ""), said.get("class", ""))

    return name_of


def steps(pattern: str) -> float:
    """Return an upper bound of the ways in which a pattern may be tried on one name of 255 characters.

    Python's matcher goes back over every variable part in turn, so their ways multiply; and a variable part inside a
    group that is itself repeated makes them grow exponentially, which counts as infinite.
    """
    total = 1.0
    open_at: list[float] = []
    inside = 1.0
    for part in _tokens(pattern):
        if part == "(":
            open_at.append(total)
        elif part == ")":
            inside = total / open_at.pop() if open_at else 1.0
        elif part == "|":
            total *= 2
        elif part[0] in "*+?{":
            ways = _ways(part)
            if inside > 1 and part[0] != "?":
                return float("inf")
            total *= ways
            inside = 1.0
        else:
            inside = 1.0
    return total


def _tokens(pattern: str) -> Iterator[str]:
    """Yield brackets, bars and quantifiers as themselves, everything else as one character `x` each."""
    position = 0
    for match in re.finditer(
        r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P?[<=!:#a-zA-Z]+(?:\w+[>)])?|\{\d*,?\d*\}|[*+?][?+]?|[()|]",
        pattern,
        re.DOTALL,
    ):
        yield from "x" * (match.start() - position)
        position = match.end()
        text = match[0]
        if text[0] == "(":
            yield "("
            if text.endswith(")"):
                yield ")"
        elif text[0] in "\\[":
            yield "x"
        else:
            yield text
    yield from "x" * (len(pattern) - position)


def _ways(quantifier: str) -> float:
    if quantifier[0] == "?":
        return 2
    if quantifier[0] in "*+":
        return 255
    low, comma, high = quantifier.strip("{}").partition(",")
    if not comma:
        return 1
    return min(255, int(high or 255) - int(low or 0) + 1)
