"""The control messages: what an operator's program and the streamer say to each other."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from streamer.vocabulary import Account
from streamer.wire._messages import Name, Refused, State

Text = Annotated[str, Meta(min_length=1, max_length=1024)]


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="ask"):
    """Operator → streamer: how is it set? Answered with `Settings`."""

    version: int


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="change"):
    """Operator → streamer: change this, as a whole or not at all. Answered with `Changed` or `Refused`.

    `changes` is a part of the configuration file as a tree: `{"decision": {"min_confidence": 0.8}}` changes one key,
    `{"gate": [...]}` replaces all gates. Who and why stand in the journal.
    """

    version: int
    author: Name
    reason: Text
    changes: dict[str, object]


class Swap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="swap"):
    """Operator → streamer: let another bundle decide. Answered with `Swapping`, several times, then `Swapped`.

    Or with `Refused`, at any moment; then the old one goes on. `bundle` is a directory on the streamer's machine, or
    the name of a bundle that is shipped with Cellgate; `cells`, recorded cells there to compare on.
    """

    version: int
    author: Name
    reason: Text
    bundle: Annotated[str, Meta(min_length=1, max_length=4096)]
    max_changed: Annotated[float, Meta(ge=0, le=1)] | None = None
    """The largest share of cells whose class, or some gate decision, may differ from the FP32 reference's."""
    cells: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None


class Swapping(msgspec.Struct, frozen=True, tag="swapping"):
    """Streamer → operator: how far the swap is, `asked`, `loading`, `compiling` or `comparing`."""

    stage: str


class Swapped(msgspec.Struct, frozen=True, tag="swapped"):
    """Streamer → operator: this bundle decides from now on; the figures are of its comparison with the reference."""

    bundle: str
    bundle_sha256: str
    engine: str
    cells: int
    changed_classes: int
    changed_decisions: int
    mean_probability_error: float


class Settings(msgspec.Struct, frozen=True, tag="settings"):
    """Streamer → operator: how it is set, in the form of the configuration file."""

    version: int
    state: State
    series: str
    bundle: str
    bundle_sha256: str
    engine: str
    classes: tuple[str, ...]
    ways: tuple[str, ...]
    decision: dict[str, object]
    gate: list[dict[str, object]]
    changes: int
    """How many changes were made since the streamer was started."""
    account: Account


class Changed(msgspec.Struct, frozen=True, tag="changed"):
    """Streamer → operator: done, between two batches, as the `number`-th change since the start."""

    number: int
    state: State


FromController = Ask | Change | Swap
ToController = Settings | Changed | Swapping | Swapped | Refused
