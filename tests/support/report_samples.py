"""Journals with gates over classes, whose tallies can be counted by hand."""

import numpy as np

from streamer.journal import JournalWriter, label_of, read_journal, record_dtype
from streamer.vocabulary import Reason
from tests.support.journal_samples import make_header

CLASSES = ("A", "B", "C")
GATES = (
    {"name": "ab", "way": "left", "where": {"A+B": {"min": 0.5}}},
    {"name": "c", "way": "right", "classes": ["C"]},
    {"name": "bright", "way": "right", "where": {"BF:mean": {"min": 10.0}}},
    {"name": "debris", "way": "waste", "where": {"C": {"max": 0.1}}},
    {"name": "part", "where": {"C": {"max": 0.1}}},
)
WAY_OF = (1, 2, 2, 0, 0)
WANTED = ((0, 1), (2,), None, None, None)
WAYS = ("waste", "left", "right")
REASONS = tuple(reason.label for reason in Reason)


def gated_header(**changes):
    fields = {
        "classes": CLASSES,
        "gates": tuple(gate["name"] for gate in GATES),
        "ways": WAYS,
        "reasons": REASONS,
        "config": {
            "gate": list(GATES),
            "way": {
                "left": {"mode": "purity", "leading_us": 50.0, "trailing_us": 100.0, "target": 40},
                "right": {"mode": "yield"},
            },
        },
    }
    return make_header(3, **(fields | changes))


def random_entries(n, seed, gates=(-1, 0, 1, 3, 4), unclassified=0.1):
    """Settled cells of every kind; kept ones have gates that lead somewhere."""
    rng = np.random.default_rng(seed)
    entries = np.zeros(n, record_dtype(3))
    entries["seq"] = np.arange(n)
    entries["gate"] = rng.choice(gates, n)
    entries["probabilities"] = rng.dirichlet((1, 1, 1), n)
    entries["class_"] = entries["probabilities"].argmax(axis=1)
    known = np.where(entries["gate"] < len(WAY_OF), entries["gate"], -1)
    way = np.array([*WAY_OF, 0])[known]
    lost = rng.integers(1, len(REASONS), n)
    entries["reason"] = np.where((way > 0) & (rng.random(n) < 0.6), Reason.KEPT, lost)
    entries["way"] = np.where(entries["reason"] == Reason.KEPT, way, 0)
    blank = (entries["reason"] != Reason.KEPT) & (rng.random(n) < unclassified)
    entries["gate"][blank], entries["class_"][blank], entries["probabilities"][blank] = -1, -1, np.nan
    entries["arrival_ns"] = 2_000_000 + np.arange(n) * 1_000_000
    entries["decided_ns"] = entries["arrival_ns"] + 300_000
    entries["slack_ns"] = 700_000
    return entries


def account_of(entries):
    codes, counts = np.unique(entries["reason"], return_counts=True)
    found = {label_of(REASONS, code): count for code, count in zip(codes.tolist(), counts.tolist(), strict=True)}
    n, kept = len(entries), found.pop("kept", 0)
    return {"sent": n, "received": n, "decided": n, "kept": kept, "not_kept": found}


def write(path, entries, header=None, *, closed=True, events=()):
    totals = {"ended": "end", "account": account_of(entries), "unix_ns": 1_700_000_000_000_000_000 + 10**10}
    with JournalWriter(path, header or gated_header()) as writer:
        writer.append(entries)
        for name, data in events:
            writer.event(name, data)
        writer.close(totals if closed else None)
    return read_journal(path)
