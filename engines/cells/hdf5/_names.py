"""Three-character names for classes, as RT-DC's features `ml_score_xxx` need them."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator, Sequence

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def score_names(classes: Sequence[str]) -> tuple[str, ...]:
    """Return a distinct name of three of [a-z0-9] per class: its first letters where they are free.

    The same classes in the same order always get the same names.
    """
    chosen: dict[str, None] = {}
    for name in classes:
        chosen[next(candidate for candidate in _candidates(name) if candidate not in chosen)] = None
    return tuple(chosen)


def _candidates(name: str) -> Iterator[str]:
    plain = unicodedata.normalize("NFKD", name).casefold()
    letters = "".join(letter for letter in plain if letter in _ALPHABET)[:32]
    yield (letters + "000")[:3]
    for second, third in itertools.combinations(letters[1:], 2):
        yield letters[0] + second + third
    for head in (letters[:2], letters[:1], ""):
        for rest in itertools.product(_ALPHABET, repeat=3 - len(head)):
            yield head + "".join(rest)
