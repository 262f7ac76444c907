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


class Settings(msgspec.Struct, frozen=True, tag="settings"):
    """Streamer → operator: how it is set, in the form of the configuration file."""

    version: int
    state: State
    series: str
    bundle: str
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


FromController = Ask | Change
ToController = Settings | Changed | Refused
