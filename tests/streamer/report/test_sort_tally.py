import tempfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import GateSection
from streamer.report import SortTally, purity_interval, report_of, tallied_gates
from tests.support.report_samples import CLASSES, GATES, REASONS, WANTED, WAY_OF, WAYS, random_entries, write

SECTIONS = msgspec.convert(list(GATES), list[GateSection])


def new_tally():
    return SortTally(tallied_gates(SECTIONS, CLASSES), len(CLASSES), REASONS)


def by_hand(entries):
    """Count cell by cell: in-gate, sorted, aborts and the kept cells' probabilities, by way."""
    found = {way: (0, 0, {}, []) for way in WAYS[1:]}
    for cell in entries:
        if cell["gate"] < 0 or not WAY_OF[cell["gate"]]:
            continue
        way = WAYS[WAY_OF[cell["gate"]]]
        in_gate, kept, aborts, chances = found[way]
        reason = REASONS[cell["reason"]]
        if reason == "kept":
            wanted = WANTED[cell["gate"]]
            chances = [*chances, None if wanted is None else sum(float(cell["probabilities"][c]) for c in wanted)]
        else:
            aborts = aborts | {reason: aborts.get(reason, 0) + 1}
        found[way] = (in_gate + 1, kept + (reason == "kept"), aborts, chances)
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 300), st.integers(0, 2**32 - 1), st.lists(st.integers(1, 200), min_size=1), st.booleans())
def test_batches_a_journal_and_counting_by_hand_agree(n, seed, sizes, blind):
    entries = random_entries(n, seed, gates=(-1, 0, 1, 2, 3, 4) if blind else (-1, 0, 1, 3, 4))
    tally, at = new_tally(), 0
    while at < n:
        size = sizes[at % len(sizes)]
        tally.add(entries[at : at + size])
        at += size
    with tempfile.TemporaryDirectory() as directory:
        report = report_of(write(Path(directory) / "a.journal", entries))
    expected = by_hand(entries)
    assert [way.name for way in tally.ways()] == [way.name for way in report.ways] == list(expected)
    assert tally.decided == n
    assert tally.classified == int((entries["class_"] >= 0).sum())
    for counted, reported in zip(tally.ways(), report.ways, strict=True):
        in_gate, kept, aborts, chances = expected[counted.name]
        assert (counted.in_gate, counted.sorted, counted.aborts) == (in_gate, kept, aborts)
        assert (reported.in_gate, reported.sorted) == (in_gate, kept)
        assert reported.aborts.hardware | reported.aborts.software == aborts
        assert reported.in_gate == reported.sorted + reported.aborts.total
        assert sum(counted.blind.values()) == chances.count(None)
        if not chances or None in chances:
            assert reported.purity is None
            assert reported.purity_why
            continue
        assert reported.purity.cells == counted.chances.cells == len(chances)
        assert reported.purity.estimate == pytest.approx(np.mean(chances))
        assert counted.chances.mean == pytest.approx(np.mean(chances))
        assert (reported.purity.low, reported.purity.high) == pytest.approx(purity_interval(counted.chances))
        assert reported.purity_why == ""


def test_gates_that_follow_the_codes_there_are():
    tally = new_tally()
    entries = random_entries(200, 3)
    tally.add(entries)
    before = [way._replace(chances=way.chances.cells) for way in tally.ways()]
    late = GateSection(name="late", way="third", classes=("B",))
    tally.use_gates(tallied_gates([late], CLASSES), len(GATES))
    assert [way._replace(chances=way.chances.cells) for way in tally.ways()][:2] == before
    more = entries[entries["reason"] == 0].copy()
    more["gate"], more["class_"], more["probabilities"] = len(GATES), 1, (0.1, 0.8, 0.1)
    tally.add(more)
    third = tally.ways()[2]
    assert (third.name, third.sorted, third.gates) == ("third", len(more), ("late",))
    assert third.chances.mean == pytest.approx(0.8)


def test_codes_that_no_gate_has_any_more_lead_nowhere():
    tally = new_tally()
    entries = random_entries(60, 3, gates=(0, 1, 2), unclassified=0)
    entries["reason"] = 0
    tally.use_gates(tallied_gates(SECTIONS[:1], CLASSES))
    for part in (entries[:1], entries[1:10], entries[10:]):
        tally.add(part)
    left, right = tally.ways()
    assert (left.sorted, right.in_gate, right.blind) == ((entries["gate"] == 0).sum(), 0, {})
    assert tally.strays == (entries["gate"] > 0).sum()


def test_a_cell_kept_by_no_gate_is_a_stray():
    tally = new_tally()
    entries = random_entries(2, 0)
    entries["gate"], entries["reason"] = -1, 0
    tally.add(entries)
    tally.add(entries[:1])
    assert tally.strays == 3
    assert all(not way.in_gate for way in tally.ways())


def wanted(*gates):
    sections = [GateSection(**{"name": f"g{number}"} | gate) for number, gate in enumerate(gates)]
    return [None if gate.wanted is None else "".join(CLASSES[c] for c in gate.wanted)
            for gate in tallied_gates(sections, CLASSES)]  # fmt: skip


def bounds(**sides):
    from streamer.config import Bound

    return {name: Bound(**{side: 0.5}) for name, side in sides.items()}


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        ([{"where": bounds(A="min")}], ["A"]),
        ([{"where": bounds(A="max")}], [None]),
        ([{"where": bounds(A="min", B="max")}], ["A"]),
        ([{"where": bounds(**{"A+C": "min"})}], ["AC"]),
        ([{"where": bounds(**{"class[B+C]": "min"})}], ["BC"]),
        ([{"where": bounds(top="min")}], [None]),
        ([{"where": bounds(**{"BF:mean": "min", "embedding[0]": "min", "unfamiliarity": "min"})}], [None]),
        ([{"classes": ("C", "A"), "where": bounds(B="min")}], ["AC"]),
        ([{"classes": ("A", "B")}, {"where": bounds(top="min"), "parent": "g0"}], ["AB", "AB"]),
        ([{"classes": ("A", "B")}, {"classes": ("A",), "parent": "g0"}], ["AB", "A"]),
        ([{"classes": ("A", "B")}, {"classes": ("B", "C")}, {"all_of": ("g0", "g1")}], ["AB", "BC", "B"]),
        ([{"classes": ("A", "B")}, {"where": bounds(top="min")}, {"all_of": ("g0", "g1")}], ["AB", None, "AB"]),
        ([{"classes": ("A",)}, {"classes": ("B",)}, {"any_of": ("g0", "g1")}], ["A", "B", "AB"]),
        ([{"classes": ("A",)}, {"where": bounds(top="min")}, {"any_of": ("g0", "g1")}], ["A", None, None]),
        ([{"classes": ("A",)}, {"classes": ("B",)}, {"all_of": ("g0", "!g1")}], ["A", "B", "A"]),
        ([{"classes": ("A",)}, {"none_of": ("g0",)}], ["A", None]),
        ([{"all_of": ("g1", "g2")}, {"any_of": ("g0", "g2")}, {"classes": ("A",)}], ["A", "A", "A"]),
        ([{"where": bounds(top="min"), "parent": "g0"}], [None]),
    ],
)
def test_the_classes_a_gate_wants(gates, expected):
    assert wanted(*gates) == expected
