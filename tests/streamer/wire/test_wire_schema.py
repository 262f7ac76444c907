"""The schema hash tells any two schemas apart, and says what docs/protocol.md says it does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.wire import Schema, schema_hash

SIZES = st.none() | st.tuples(st.integers(1, 3), st.integers(1, 3))
SCHEMAS = st.builds(
    Schema,
    channels=st.lists(st.text("a1:\n=µ", min_size=1, max_size=4), min_size=1, max_size=3).map(tuple),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
    timebase=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    shape=SIZES,
    max_shape=SIZES,
    checksum=st.sampled_from(["none", "crc32"]),
)


def test_a_known_hash() -> None:
    schema = Schema(channels=("brightfield", "PI"), dtype="uint16", timebase=(1, 10**9), shape=(64, 48))
    # printf 'channels=11:brightfield2:PI\n…checksum=none\n' | sha256sum, the first eight bytes turned round
    assert schema_hash(schema) == 0x949DB49DED379129


@given(SCHEMAS, SCHEMAS)
def test_equal_hash_means_equal_schema(one: Schema, other: Schema) -> None:
    assert (schema_hash(one) == schema_hash(other)) == (one == other)


@given(SCHEMAS)
def test_the_hash_is_an_unsigned_64_bit_integer(schema: Schema) -> None:
    assert 0 <= schema_hash(schema) < 2**64


def test_names_cannot_flow_into_each_other() -> None:
    def hash_of(*channels: str) -> int:
        return schema_hash(Schema(channels=channels, dtype="uint8", timebase=(1, 1)))

    assert len({hash_of("a", "b"), hash_of("a1:b"), hash_of("b", "a"), hash_of("ab"), hash_of("a\ndtype=uint8")}) == 5
