"""The finished parts of a run as a table of results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Bundle
from engines.cells._recording import Recording, plain_text
from engines.offline._blocks import Fact
from engines.offline._parts import Part, Parts
from engines.results import About, Chunk, Column, Dtype, Head, Results, distinct, merged_labels

_OWN = ("index", "trigger_s", "class", "label", "seen", "group")
MOST_LABELS = 4096
"""Text with at most so many different values becomes a code."""


def table_of(parts: Parts, recording: Recording, bundle: Bundle, *, embedding: bool, about: About) -> Results:
    """Return the table of a run: one row per classified cell, in the order of the recording.

    Columns: `index` in the recording, `trigger_s`, `class`, `p(NAME)`, the bundle's measurements, `label`, `seen`
    (whether the bundle was trained or tuned on the cell), `group`, and what the file says of each cell. Those of which
    nothing is known are left out.
    """
    found = _Look(parts)
    spec = bundle.manifest
    columns = [Column("index", "uint64")]
    columns += [Column("trigger_s", "float64", "time", unit="s")] if found.timed else []
    columns += [Column("class", "code", labels=spec.classes)]
    columns += [Column(f"p({name})", "float32", "probability") for name in spec.classes]
    # Nothing keeps a bundle from measuring something called as one of our own columns, or the same twice.
    own = [*_OWN, *(f"p({name})" for name in spec.classes)]
    measured = distinct([*own, *spec.outputs.measurements])[len(own) :]
    columns += [Column(name, "float32", "measurement") for name in measured]
    labels, own_codes = merged_labels([_text(name) for name in recording.classes])
    columns += [Column("label", "code", labels=labels)] if recording.classes else []
    columns += [Column("seen", "bool")] if found.seen else []
    texts = [("group", "group", found.groups)] if found.groups is None or any(found.groups) else []
    taken = {column.name for column in columns} | set(_OWN)
    facts: dict[str, str] = {}
    for name, kind in found.facts.items():
        unique = name if name and name not in taken else f"fact:{name}"
        while unique in taken:
            unique += "_"
        taken.add(unique)
        facts[name] = unique
        if kind == "text":
            texts.append((unique, name, found.texts.get(name)))
        else:
            columns.append(Column(unique, kind))
    columns += [
        Column(name, "text") if values is None else Column(name, "code", labels=tuple(filter(None, values)))
        for name, _, values in texts
    ]
    head = Head(columns=tuple(columns), embedding=spec.outputs.embedding if embedding else 0, about=about)

    def chunks() -> Iterator[Chunk]:
        for part, arrays in parts.rows_of():
            made: dict[str, NDArray[Any]] = {"index": arrays["index"], "class": _classes(arrays["probabilities"])}
            made |= {"trigger_s": arrays["trigger_s"], "seen": arrays.get("seen", np.empty(0))}
            made |= {f"p({name})": arrays["probabilities"][:, at] for at, name in enumerate(spec.classes)}
            made |= {name: arrays["measurements"][:, at] for at, name in enumerate(measured)}
            made["label"] = _recoded(arrays["labels"], own_codes)
            for column in head.columns:
                if column.name not in made:
                    values = _fact(part, column.name, facts)
                    made[column.name] = _typed(values, column)
            yield Chunk({column.name: made[column.name] for column in head.columns}, arrays.get("embedding"))

    return Results(head, chunks)


class _Look:
    """What there is in the parts: which facts and of what kind, the different values of texts."""

    def __init__(self, parts: Parts) -> None:
        self.facts: dict[str, Dtype] = {}
        self.texts: dict[str, dict[str, None] | None] = {}
        self.groups: dict[str, None] | None = {}
        self.timed = self.seen = False
        rows = 0
        for part in parts.parts():
            self.groups = _more(self.groups, part.groups)
            for name in dict.fromkeys([*self.facts, *part.facts]):
                values = part.facts.get(name, [None] * len(part.groups))
                before = self.facts.get(name, "float64" if rows and len(part.groups) else "int64")
                if not values:
                    continue
                self.facts[name] = _kind(values, before)
                self.texts[name] = _more(self.texts.get(name, {}), values)
            rows += len(part.groups)
            self.timed, self.seen = self.timed or part.timed, self.seen or part.seen


def _more(known: dict[str, None] | None, values: Sequence[Fact]) -> dict[str, None] | None:
    if known is None:
        return None
    known |= dict.fromkeys(_texts(values))
    return known if len(known) <= MOST_LABELS else None


def _kind(values: list[Fact], before: Dtype) -> Dtype:
    if before == "text" or any(isinstance(value, str) for value in values):
        return "text"
    return "int64" if before == "int64" and all(isinstance(value, int) for value in values) else "float64"


def _fact(part: Part, name: str, facts: dict[str, str]) -> list[Any]:
    if name == "group":
        return part.groups
    own = next(own for own, unique in facts.items() if unique == name)
    return part.facts.get(own) or [None] * len(part.groups)


def _typed(values: list[Any], column: Column) -> NDArray[Any]:
    if column.dtype == "code":
        codes = {label: code for code, label in enumerate(column.labels)} | {"": -1}
        return np.array([codes[text] for text in _texts(values)], np.int32)
    if column.dtype == "text":
        return np.array(_texts(values), object)
    return np.array([np.nan if value is None else value for value in values], column.numpy)


def _texts(values: Sequence[Fact]) -> list[str]:
    """Return each as text; values repeat, so each is made one once."""
    typed = list(zip(map(type, values), values, strict=True))  # 1, 1.0 and True are equal, their texts are not
    known = {(kind, value): _text(value) for kind, value in dict.fromkeys(typed)}
    return [known[pair] for pair in typed]


def _text(value: Fact) -> str:
    return "" if value is None else plain_text(str(value))


def _classes(probabilities: NDArray[np.float32]) -> NDArray[np.int32]:
    best: NDArray[np.int32] = probabilities.argmax(axis=1).astype(np.int32)
    return best


def _recoded(labels: NDArray[np.int16], codes: NDArray[np.int32]) -> NDArray[np.int32]:
    picked: NDArray[np.int32] = np.append(codes, np.int32(-1))[np.where(labels < len(codes), labels, -1)]
    return picked
