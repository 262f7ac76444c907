"""What gates can see of a cell: the names of everything a bundle's engine says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engines.bundle import Manifest
from engines.errors import InputError
from streamer.config import DecisionSection

UNFAMILIARITY = "unfamiliarity"
"""The measurement that says how far a cell lies from what the bundle was trained on; not every bundle has it."""


class Spec(NamedTuple):
    """A bundle as gates see it: class names, length of the embedding, measurement names."""

    classes: tuple[str, ...]
    embedding: int = 0
    measurements: tuple[str, ...] = ()


def spec_of(bundle: Manifest | Spec | Sequence[str]) -> Spec:
    """Return the spec of a manifest, or of class names alone."""
    if isinstance(bundle, Spec):
        return bundle
    if isinstance(bundle, Manifest):
        return Spec(bundle.classes, bundle.outputs.embedding, bundle.outputs.measurements)
    return Spec(tuple(bundle))


def check_abstention(section: DecisionSection, bundle: Manifest | Spec | Sequence[str]) -> None:
    """Raise `InputError` if a limit on unfamiliarity is asked for and the bundle does not measure it."""
    spec = spec_of(bundle)
    if section.max_unfamiliarity is not None and UNFAMILIARITY not in spec.measurements:
        raise InputError("config", "decision.max_unfamiliarity", section.max_unfamiliarity, no_unfamiliarity(spec))


def no_unfamiliarity(spec: Spec) -> str:
    """Say what a bundle without unfamiliarity offers instead."""
    have = ", ".join(spec.measurements) or "none"
    return f"a bundle with a measurement named {UNFAMILIARITY}; this one's are: {have}"
