import json

import pytest
from typer.testing import CliRunner

from engines.errors import InputError
from streamer.cli.journal import app
from streamer.journal import JournalWriter, record_dtype
from tests.support.journal_samples import make_header, make_records, make_totals, write_journal

SIZE = record_dtype(3).itemsize


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.cgj"
    write_journal(path, 30, totals=make_totals(30))
    return path


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def seqs(output):
    return [json.loads(line)["seq"] for line in output.splitlines()]


def test_show_as_a_table(good):
    result = run("show", good)
    assert result.exit_code == 0
    assert "leukocytes" in result.output
    assert "20 of 30 decisions" in result.output
    assert run("show", good, "--first", 30).output.count("class0") == 10


def test_show_as_json_lines(good):
    lines = run("show", good, "--json").output.splitlines()
    assert len(lines) == 30
    kept = json.loads(lines[0])
    assert kept["class"] == "class0"
    assert (kept["way"], kept["reason"], kept["gate"]) == ("left", "kept", "bright")
    assert (kept["latency_us"], kept["slack_us"]) == (1000.0, 500.0)
    assert len(kept["probabilities"]) == 3
    other = json.loads(lines[1])
    assert (other["gate"], other["slack_us"], other["reason"]) == (None, None, "not_in_gate")


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (("--first", 2), [0, 1]),
        (("--last", 2), [28, 29]),
        (("--first", 1, "--last", 2), [0, 28, 29]),
        (("--first", 0), []),
        (("--first", 20, "--last", 20), list(range(30))),
        (("--reason", "kept", "--last", 1), [27]),
    ],
)
def test_show_chooses(good, options, shown):
    assert seqs(run("show", good, "--json", *options).output) == shown


def test_show_events(good):
    (event,) = [json.loads(line) for line in run("show", good, "--events").output.splitlines()]
    assert event["event"] == "totals"


def test_unclassified_cells_and_odd_labels_are_shown_safely(tmp_path):
    path = tmp_path / "a.cgj"
    records = make_records(2)
    records["class_"], records["probabilities"] = -1, float("nan")
    records["way"] = 1
    with JournalWriter(path, make_header(ways=("waste", "[red]\x1b[31m"))) as writer:
        writer.append(records)
    assert "\x1b" not in run("show", path).output
    shown = json.loads(run("show", path, "--json", "--first", 1).output)
    assert (shown["class"], shown["probabilities"]) == (None, None)


def test_unknown_reason_names_those_there_are(good):
    result = run("show", good, "--reason", "kep")
    assert isinstance(result.exception, InputError)
    assert "one of kept, not_in_gate" in str(result.exception)


def test_verify_good_torn_and_damaged(good):
    assert run("verify", good).exit_code == 0
    assert "good; 30 decisions; 1 events; closed" in run("verify", good).output
    whole = good.read_bytes()

    good.write_bytes(whole + b"torn")
    torn = run("verify", good)
    assert torn.exit_code == 0
    assert "torn tail of 4 bytes\n" in torn.output
    assert "torn tail of 4 bytes cut" in run("verify", "--cut", good).output
    assert good.read_bytes() == whole

    start = 20 + int.from_bytes(whole[12:16], "little")
    flipped = bytearray(whole)
    flipped[start + 3 * SIZE + 5] ^= 1
    good.write_bytes(flipped)
    damaged = run("verify", good)
    assert damaged.exit_code == 1
    assert "1 damaged records (first: 3)" in damaged.output


def test_verify_goes_through_all_files_before_it_complains(good, tmp_path):
    result = run("verify", tmp_path / "no.cgj", good)
    assert isinstance(result.exception, InputError)
    assert "no such file" in result.output
    assert "good; 30 decisions" in result.output


def test_summary_as_a_table_and_as_json(good):
    result = run("summary", good)
    assert result.exit_code == 0
    for text in ("yes, by end", "not kept: not_in_gate", "latency p99.9", "1,000.0 µs", "cells/s"):
        assert text in result.output
    assert "disagreement" not in result.output
    assert json.loads(run("summary", good, "--json").output)["account"]["decided"] == 30


def test_summary_lists_disagreements(tmp_path):
    path = tmp_path / "a.cgj"
    write_journal(path, 29, totals=make_totals(30))
    assert "disagreement: decided: 29 in the records, 30 in the totals" in run("summary", path).output


def test_no_journal_is_an_input_error(tmp_path):
    for command in ("show", "verify", "summary"):
        assert isinstance(run(command, tmp_path / "no.cgj").exception, InputError)
