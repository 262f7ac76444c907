"""The journal: one append-only file per series with a checksummed record per decision. See docs/journal.md."""

from streamer.journal._deciders import JournalDecider, deciders_of
from streamer.journal._errors import JournalError
from streamer.journal._header import FORMAT_VERSION, JournalHeader, RecordField
from streamer.journal._reader import Journal, cut_torn_tail, read_journal
from streamer.journal._records import DECISION_RECORD, EVENT_RECORD, NO_DEADLINE, Records, record_dtype
from streamer.journal._summary import Summary, label_of, summarize
from streamer.journal._writer import JournalWriter

__all__ = [
    "DECISION_RECORD",
    "EVENT_RECORD",
    "FORMAT_VERSION",
    "NO_DEADLINE",
    "Journal",
    "JournalDecider",
    "JournalError",
    "JournalHeader",
    "JournalWriter",
    "RecordField",
    "Records",
    "Summary",
    "cut_torn_tail",
    "deciders_of",
    "label_of",
    "read_journal",
    "record_dtype",
    "summarize",
]
