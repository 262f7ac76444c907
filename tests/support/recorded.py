"""Series that are recorded by a process of its own: sent, waited for, and checked against the journal."""

import time

from streamer.client import CellSender
from streamer.journal import read_journal
from tests.support.talk import TOY_SCHEMA, send_toy
from tests.support.toy import CLASSES


def send_series(streamer, series, classes, *, every=10, pause_s=0.002, schema=TOY_SCHEMA):
    """Send a series; return its totals."""
    with CellSender(streamer.cells) as sender:
        sender.start(series, schema)
        for at in range(0, len(classes), every):
            send_toy(sender, classes[at : at + every])
            time.sleep(pause_s)
        return sender.end()


def beat_for(sender, seconds):
    """Give signs of life of the cytometer for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sender.beat()
        time.sleep(0.02)


def beat_until(sender, child, word):
    """Give signs of life of the cytometer until a child has said a word."""
    until = time.monotonic() + 60
    while word not in child.log.read_text():
        assert time.monotonic() < until, child.log.read_text()
        sender.beat()
        time.sleep(0.02)


def code_of(child):
    """Wait until a child has ended by itself; return its code."""
    until = time.monotonic() + 30
    while child.running and time.monotonic() < until:
        time.sleep(0.02)
    return child.code


def account_of(recording):
    """The account in a file's attributes, which must add up."""
    names = ("skipped_no_recorder", "skipped_behind", "handed_earlier", "not_asked", "lost", "under_way")
    dropped = ("dropped_undecided", "dropped_damaged", "dropped_disk")
    counts = {name: int(recording.about[name]) for name in ("offered", "recorded", *names, *dropped)}
    assert counts["offered"] == sum(counts.values()) - counts["offered"]
    return counts


def check_recorded(recording, journal, *, level=(100, 1000, 3000)):
    """Every recorded cell is its own frame, and stands beside its own decision, that of the journal."""
    decisions = {int(row["seq"]): row for row in read_journal(journal).decisions}
    seqs = []
    for cell in recording:
        row = decisions[cell.facts["seq"]]
        seqs.append(cell.facts["seq"])
        assert (cell.frame == level[cell.label]).all()
        assert (cell.label, cell.facts["reason"]) == (row["class_"], row["reason"])
        assert (cell.facts["way"], cell.facts["gate"]) == (row["way"], row["gate"])
        assert cell.facts["trigger_ticks"] == row["ticks"]
        assert [cell.facts[f"p({name})"] for name in CLASSES] == row["probabilities"].tolist()
        assert cell.facts["confidence"] == row["probabilities"].max()
    assert len(set(seqs)) == len(seqs)
    return seqs
