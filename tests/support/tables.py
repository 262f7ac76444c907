"""Tables of results with every kind of column."""

import numpy as np

from engines.results import About, Chunk, Column, Head, Results

ABOUT = About(
    cells="a, b.npz",
    bundle="leukocytes",
    bundle_sha256="ab" * 32,
    engine="test",
    software="cellgate 0",
    command="cellgate classify 'a, b.npz'",
    created="2026-01-02T03:04:05+00:00",
    series="s|1/",
    started_unix_ns=1_700_000_000_123_456_789,
    ended_unix_ns=1_700_000_100_000_000_000,
    totals={"sent": 1007, "missing": 7, "late": 3, "overload": 2, "coincident": 5, "hardware_abort": 1, "uncertain": 9},
    info={"operator": "AB", "Cytometer": "µ-sorter $5"},
    notes=("a note",),
)
COLUMNS = (
    Column("seq", "uint64"),
    Column("arrival_ns", "int64", "time", unit="ns"),
    Column("latency_us", "float64", unit="us"),
    Column("ok", "bool"),
    Column("class", "code", labels=("A", "B, too", "=C")),
    Column("p(A)", "float32", "probability"),
    Column("BF:mean", "float32", "measurement"),
    Column("BF/area", "float32", "measurement"),
    Column("note", "text"),
    Column("object", "int64"),
)


def sample(n, *, chunk=100, embedding=0, seed=1):
    """Return a table of n rows, of values that are awkward somewhere."""
    rng = np.random.default_rng(seed)
    values = {
        "seq": np.arange(n, dtype=np.uint64) + np.uint64(2**24 - 200),
        "arrival_ns": np.sort(rng.integers(-(10**6), 4 * 10**12, n)),
        "latency_us": np.where(rng.random(n) < 0.1, np.nan, rng.exponential(300, n)),
        "ok": rng.random(n) < 0.5,
        "class": rng.integers(-1, 3, n).astype(np.int32),
        "p(A)": np.where(rng.random(n) < 0.1, np.nan, rng.random(n)).astype(np.float32),
        "BF:mean": rng.normal(0, 1e4, n).astype(np.float32),
        "BF/area": rng.normal(0, 1e-30, n).astype(np.float32),
        "note": np.array([("=é", "a,b", 'say "x"', "", "two\r\nlines")[i % 5] for i in range(n)], object),
        "object": -rng.integers(0, 2**50, n),
    }
    dense = rng.normal(size=(n, embedding)).astype(np.float32)

    def chunks():
        for at in range(0, n, chunk):
            some = slice(at, at + chunk)
            yield Chunk({name: column[some] for name, column in values.items()}, dense[some] if embedding else None)

    return Results(Head(columns=COLUMNS, embedding=embedding, about=ABOUT), chunks)


def values_of(table):
    """Return every column whole, and the embedding as `embedding`."""
    chunks = list(table.chunks())
    found = {c.name: np.concatenate([chunk.columns[c.name] for chunk in chunks]) for c in table.head.columns}
    if table.head.embedding:
        found["embedding"] = np.concatenate([chunk.embedding for chunk in chunks])
    return found


def assert_same(table, back, *, rounded=False, without_text=False):
    """Assert that `back` is `table`: to the bit, but for what FCS cannot hold."""
    expected = [c for c in table.head.columns if not (without_text and c.dtype == "text")]
    assert list(back.head.columns) == expected
    known, found = values_of(table), values_of(back)
    for column in expected:
        left, right = known[column.name], found[column.name]
        assert right.dtype == column.numpy, column
        if rounded and column.dtype == "float64":
            left = left.astype(np.float32).astype(np.float64)
        assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f"), column
    if table.head.embedding:
        assert np.array_equal(known["embedding"], found["embedding"])
