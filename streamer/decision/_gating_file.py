"""Bring the gates of a configuration's Gating-ML file beside those of its tables."""

from __future__ import annotations

import msgspec

from engines.errors import InputError
from streamer.config import Config, check_gates
from streamer.decision._gatingml_read import read_gatingml


def with_gating_file(config: Config) -> Config:
    """Return the configuration with the gates of `decision.gating_ml` after those of its `[[gate]]` tables.

    `decision.ways` gives gates of the file their ways; a way the file itself states is replaced. So the tables may
    name gates of the file as parents and parts, and the journal's copy of the configuration holds every gate.

    Raises
    ------
    InputError
        The file cannot be read, a way is for a gate it does not have, or a gate has the name of one in the tables.
    """
    path = config.decision.gating_ml
    if path is None:
        return config
    ways = config.decision.ways or {}
    gates = read_gatingml(path)
    names = [gate.name for gate in gates]
    for name in ways:
        if name not in names:
            raise InputError("config", f"decision.ways.{name}", name, f"a gate of {path}: {', '.join(names)}")
    given = tuple(msgspec.structs.replace(gate, way=ways[gate.name]) if gate.name in ways else gate for gate in gates)
    check_gates((*config.gate, *given), path)
    return msgspec.structs.replace(config, gate=(*config.gate, *given))


def without_gating_file(config: Config) -> Config:
    """Return a configuration that holds the gates of its file, without the file: to be used where it is read again."""
    return msgspec.structs.replace(config, decision=msgspec.structs.replace(config.decision, gating_ml=None, ways=None))
