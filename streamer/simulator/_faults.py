"""Faults on demand: what can go wrong between a camera and the streamer, made to happen and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from engines.errors import InputError
from streamer.vocabulary import Rejection

Part = bytes | memoryview


@dataclass(frozen=True)
class Faults:
    """Shares of messages (0 to 1) to drop, send twice, send after the next one, or corrupt; and stalls.

    `stall_every_s` > 0 holds everything back for `stall_s` as often.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    stall_every_s: float = 0.0
    stall_s: float = 0.5

    def __post_init__(self) -> None:
        for name in ("drop", "duplicate", "reorder", "corrupt"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise InputError("faults", name, value, "a share between 0 and 1")
        if (total := self.drop + self.duplicate + self.reorder + self.corrupt) > 1:
            raise InputError("faults", "all shares together", total, "at most 1")
        if not (0 <= self.stall_every_s < 1e6 and 0 <= self.stall_s < 1e6):
            raise InputError("faults", "stall", (self.stall_every_s, self.stall_s), "seconds, 0 or more")

    @property
    def any(self) -> bool:
        """Whether anything at all is to go wrong."""
        return any((self.drop, self.duplicate, self.reorder, self.corrupt, self.stall_every_s))


class FaultLine:
    """Passes messages on, with faults.

    Attributes
    ----------
    cells
        What became of how many cells: `dropped`, `duplicated`, `reordered`, `corrupted`.
    rejections
        How many messages were corrupted in the way that earns each `Rejection`.
    """

    def __init__(self, faults: Faults, seed: int, *, checksummed: bool) -> None:
        self._faults = faults
        self._rng = np.random.default_rng([seed, 0xFA])
        self._held: list[Part] | None = None
        self._kinds = (*_CORRUPTIONS, *([_flip_bit] if checksummed else []))
        self.cells: Counter[str] = Counter()
        self.rejections: Counter[str] = Counter()

    def pass_on(self, parts: list[Part], n: int) -> Iterator[list[Part]]:
        """Yield what arrives for this message of `n` cells: nothing, it, it twice, it after the next, or it spoilt."""
        draw = self._rng.random()
        faults = self._faults
        for name, share in (("dropped", faults.drop), ("corrupted", faults.corrupt), ("duplicated", faults.duplicate)):
            if draw < share:
                self.cells[name] += n
                if name == "corrupted":
                    yield self._corrupt(parts)
                elif name == "duplicated":
                    yield parts
                    yield parts
                yield from self.flush()
                return
            draw -= share
        if draw < faults.reorder and self._held is None:
            self.cells["reordered"] += n
            self._held = parts
            return
        yield parts
        yield from self.flush()

    def flush(self) -> Iterator[list[Part]]:
        """Yield the message that is being held back, if there is one."""
        held, self._held = self._held, None
        if held is not None:
            yield held

    def _corrupt(self, parts: Sequence[Part]) -> list[Part]:
        spoil = self._kinds[int(self._rng.integers(len(self._kinds)))]
        rejection, spoilt = spoil(list(parts), self._rng)
        self.rejections[rejection.value] += 1
        return spoilt


def _cut_header(parts: list[Part], rng: np.random.Generator) -> tuple[Rejection, list[Part]]:
    header = bytes(parts[0])
    return Rejection.MALFORMED, [header[: int(rng.integers(1, len(header)))], *parts[1:]]


def _wrong_count(parts: list[Part], _: np.random.Generator) -> tuple[Rejection, list[Part]]:
    header = msgspec.msgpack.decode(parts[0])
    header["n"] = "many"
    return Rejection.WRONG_TYPE, [msgspec.msgpack.encode(header), *parts[1:]]


def _other_type(parts: list[Part], _: np.random.Generator) -> tuple[Rejection, list[Part]]:
    header = msgspec.msgpack.decode(parts[0])
    return Rejection.UNKNOWN_TYPE, [msgspec.msgpack.encode({**header, "type": "frames"}), *parts[1:]]


def _other_series(parts: list[Part], _: np.random.Generator) -> tuple[Rejection, list[Part]]:
    header = msgspec.msgpack.decode(parts[0])
    return Rejection.OUT_OF_SERIES, [msgspec.msgpack.encode({**header, "series": "another"}), *parts[1:]]


def _other_schema(parts: list[Part], _: np.random.Generator) -> tuple[Rejection, list[Part]]:
    header = msgspec.msgpack.decode(parts[0])
    return Rejection.WRONG_SCHEMA, [msgspec.msgpack.encode({**header, "schema": header["schema"] ^ 1}), *parts[1:]]


def _flip_bit(parts: list[Part], rng: np.random.Generator) -> tuple[Rejection, list[Part]]:
    frame = bytearray(parts[1])
    bit = int(rng.integers(len(frame) * 8))
    frame[bit // 8] ^= 1 << bit % 8
    return Rejection.CHECKSUM, [parts[0], bytes(frame), *parts[2:]]


_CORRUPTIONS = (_cut_header, _wrong_count, _other_type, _other_series, _other_schema)
