"""Faults on demand: what is counted is what happens to the messages, and each spoilt one earns what it says."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import InputError
from streamer.simulator import FaultLine, Faults
from streamer.vocabulary import Rejection
from streamer.wire import (
    CellsHeader,
    FrameLayout,
    Schema,
    WireError,
    decode_from_cytometer,
    encode,
    message_crc32,
    schema_hash,
)


def schema_of(checksum):
    return Schema(channels=("a", "b"), dtype="uint16", timebase=(1, 10**9), shape=(3, 4), checksum=checksum)


def message(seq, n, checksum="none"):
    schema = schema_of(checksum)
    frames = np.random.default_rng(seq).integers(0, 2**16, (n, 2, 3, 4), dtype=np.uint16).tobytes()
    header = encode(CellsHeader("s", seq, n, schema_hash(schema), np.arange(n, dtype="<u8").tobytes()))
    parts = [header, frames]
    return [*parts, message_crc32(header, parts[1:]).to_bytes(4, "little")] if checksum == "crc32" else parts


def verdict(parts, checksum):
    """Return the seq of a good message, or the reason why a receiver of series `s` sets it aside."""
    schema = schema_of(checksum)
    try:
        header = decode_from_cytometer(parts[0])
        if header.series != "s":
            return Rejection.OUT_OF_SERIES
        if header.schema != schema_hash(schema):
            return Rejection.WRONG_SCHEMA
        FrameLayout(schema).view(header, parts[0], parts[1:])
    except WireError as error:
        return error.reason
    return header.seq


def play(faults, sizes, *, seed=0, checksum="none"):
    """Send messages of these sizes; return the line, what arrived, and the seqs that were sent."""
    line = FaultLine(faults, seed, checksummed=checksum == "crc32")
    arrived, seqs, seq = [], [], 0
    for n in sizes:
        arrived += line.pass_on(message(seq, n, checksum), n)
        seqs.append(seq)
        seq += n
    arrived += line.flush()
    assert list(line.flush()) == []
    return line, [verdict(parts, checksum) for parts in arrived], seqs


def test_without_faults_everything_passes_as_it_came():
    line, arrived, seqs = play(Faults(), [1, 5, 2])
    assert arrived == seqs
    assert not line.cells
    assert not line.rejections


SHARES = st.tuples(*[st.floats(0, 0.25)] * 4)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(SHARES, st.lists(st.integers(1, 4), max_size=40), st.integers(0, 99), st.sampled_from(["none", "crc32"]))
def test_what_is_counted_is_what_arrives(shares, sizes, seed, checksum):
    line, arrived, seqs = play(Faults(*shares), sizes, seed=seed, checksum=checksum)
    size_of = dict(zip(seqs, sizes, strict=True))
    good = Counter(found for found in arrived if not isinstance(found, Rejection))
    spoilt = Counter(found.value for found in arrived if isinstance(found, Rejection))
    assert spoilt == line.rejections
    twice = sum(size_of[seq] for seq, times in good.items() if times == 2)
    assert twice == line.cells["duplicated"]
    assert set(good.values()) <= {1, 2}
    lost = sum(n for seq, n in size_of.items() if seq not in good)
    assert lost == line.cells["dropped"] + line.cells["corrupted"]
    order = [found for found in arrived if not isinstance(found, Rejection)]
    highest = np.maximum.accumulate(order) if order else []
    behind = sum(size_of[seq] for seq, high in zip(order, highest, strict=True) if seq < high)
    # A held message whose successors are lost is only late, not out of order.
    assert behind <= line.cells["reordered"]


@pytest.mark.parametrize(
    ("fault", "name"),
    [("drop", "dropped"), ("duplicate", "duplicated"), ("reorder", "reordered"), ("corrupt", "corrupted")],
)
def test_a_share_of_the_messages_meets_its_fault(fault, name):
    line, _, _ = play(Faults(**{fault: 0.2}), [1] * 2000)
    assert line.cells[name] == pytest.approx(400, abs=5 * np.sqrt(2000 * 0.2 * 0.8))
    assert sum(line.cells.values()) == line.cells[name]


def test_all_dropped_all_duplicated_all_reordered():
    assert play(Faults(drop=1), [1] * 5)[1] == []
    assert play(Faults(duplicate=1), [1] * 3)[1] == [0, 0, 1, 1, 2, 2]
    assert play(Faults(reorder=1), [1] * 5)[1] == [1, 0, 3, 2, 4]


@pytest.mark.parametrize("checksum", ["none", "crc32"])
def test_every_kind_of_corruption_is_recognised_for_what_it_is(checksum):
    line, arrived, _ = play(Faults(corrupt=1), [2] * 300, seed=5, checksum=checksum)
    assert len(arrived) == 300
    assert Counter(found.value for found in arrived) == line.rejections
    kinds = {"malformed", "wrong_type", "unknown_type", "out_of_series", "wrong_schema"}
    assert set(line.rejections) == (kinds | {"checksum"} if checksum == "crc32" else kinds)
    assert line.cells == {"corrupted": 600}


def test_a_message_is_not_spoilt_in_place():
    parts = message(0, 2, "crc32")
    before = [bytes(part) for part in parts]
    line = FaultLine(Faults(corrupt=1), 0, checksummed=True)
    for _ in range(50):
        list(line.pass_on(parts, 2))
    assert [bytes(part) for part in parts] == before


def test_the_same_seed_gives_the_same_faults():
    faults = Faults(0.1, 0.1, 0.1, 0.1)
    assert play(faults, [1] * 200, seed=7)[1] == play(faults, [1] * 200, seed=7)[1]
    assert play(faults, [1] * 200, seed=7)[1] != play(faults, [1] * 200, seed=8)[1]


@pytest.mark.parametrize("name", ["drop", "duplicate", "reorder", "corrupt"])
@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_share_that_is_none_is_refused(name, share):
    with pytest.raises(InputError, match=f"faults: {name}: .*between 0 and 1"):
        Faults(**{name: share})


@pytest.mark.parametrize("wrong", [{"stall_every_s": -1}, {"stall_s": -0.5}])
def test_a_stall_that_cannot_be_is_refused(wrong):
    with pytest.raises(InputError, match="stall"):
        Faults(**wrong)


@pytest.mark.parametrize(
    ("faults", "any_"),
    [
        (Faults(), False),
        (Faults(stall_s=3), False),
        (Faults(drop=0.1), True),
        (Faults(duplicate=0.1), True),
        (Faults(reorder=0.1), True),
        (Faults(corrupt=0.1), True),
        (Faults(stall_every_s=1), True),
    ],
)
def test_any_says_whether_something_goes_wrong(faults, any_):
    assert faults.any == any_
