"""The reader printed in docs/journal.md, which knows only that page, reads what the writer wrote."""

import re
from pathlib import Path

import pytest

from streamer.journal import JournalWriter, read_journal
from tests.support.journal_samples import make_header, make_records, make_totals

PAGE = Path(__file__).parents[3] / "docs" / "journal.md"


@pytest.fixture(scope="module")
def printed_reader():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names = {}
    exec(code, names)
    return names["read"]


@pytest.mark.parametrize("classes", [1, 3, 10])
@pytest.mark.parametrize("torn", [b"", b"\1torn"])
def test_the_printed_reader_reads_a_journal(tmp_path, printed_reader, classes, torn):
    path = tmp_path / "a.cgj"
    with JournalWriter(path, make_header(classes)) as writer:
        writer.append(make_records(5, classes))
        writer.event("config", {"text": "µ" * 100})
        writer.append(make_records(5, classes, start=5))
        writer.close(make_totals(10))
    with path.open("ab") as file:
        file.write(torn)
    header, decisions, events, bad = printed_reader(path)
    journal = read_journal(path)
    assert header["series"] == journal.header.series
    assert events == journal.events
    assert bad == []
    for name in ("way", "reason", "bundle", "gate", "class_", "seq", "ticks", "arrival_ns", "decided_ns", "slack_ns"):
        assert [decision[name] for decision in decisions] == journal.decisions[name].tolist(), name
    assert [list(d["probabilities"]) for d in decisions] == journal.decisions["probabilities"].tolist()
