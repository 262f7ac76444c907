"""The decisions of a journal as a table of results."""

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from engines.results import read_results
from streamer.cli.report import report_command
from streamer.journal import NO_DEADLINE
from streamer.report._table import table_of_journal
from streamer.vocabulary import Reason
from tests.support.report_samples import GATES, REASONS, WAYS, gated_header, random_entries, write
from tests.support.tables import values_of


def names(table, column, codes):
    labels = next(c.labels for c in table.head.columns if c.name == column)
    return [labels[code] if code >= 0 else None for code in codes]


def run(*words):
    app = typer.Typer()
    app.command()(report_command)
    return CliRunner().invoke(app, [str(word) for word in words])


def test_every_decision_is_a_row(journal):
    table = table_of_journal(journal)
    found, records = values_of(table), journal.decisions
    assert np.array_equal(found["seq"], records["seq"])
    assert np.array_equal(found["trigger_ticks"], records["ticks"])
    assert np.array_equal(found["arrival_ns"], records["arrival_ns"] - journal.header.started_monotonic_ns)
    assert np.array_equal(found["latency_us"], np.full(500, 300.0))
    for at, name in enumerate(journal.header.classes):
        assert np.array_equal(found[f"p({name})"], records["probabilities"][:, at], equal_nan=True)
    assert names(table, "reason", found["reason"]) == [REASONS[code] for code in records["reason"]]
    assert names(table, "way", found["way"]) == [WAYS[code] for code in records["way"]]
    gates = [gate["name"] for gate in GATES]
    assert names(table, "gate", found["gate"]) == [gates[code] if code >= 0 else None for code in records["gate"]]
    assert (found["class"] == records["class_"]).all()
    assert "bundle" not in found


def test_totals_and_provenance(journal):
    about = table_of_journal(journal, command="cellgate report s1.journal").head.about
    assert about.totals["sent"] == 500
    assert about.totals["decided"] == about.totals["kept"] + sum(
        count for name, count in about.totals.items() if name in REASONS and name != "kept"
    )
    assert (about.series, about.bundle, about.bundle_sha256) == ("s1", "leukocytes", "ab" * 32)
    assert about.ended_unix_ns - about.started_unix_ns == 10**10


def test_missing_cells_are_lost_events(tmp_path):
    entries = random_entries(90, 3)
    entries["seq"] += 10
    journal = write(tmp_path / "a.journal", entries, closed=False)
    table = table_of_journal(journal)
    assert table.head.about.totals["missing"] == 10
    assert any("not closed" in note for note in table.head.about.notes)


def test_no_deadline_is_missing(tmp_path):
    entries = random_entries(4, 1)
    entries["slack_ns"] = [NO_DEADLINE, -1500, 0, 2]
    found = values_of(table_of_journal(write(tmp_path / "a.journal", entries)))
    assert np.array_equal(found["slack_us"], [np.nan, -1.5, 0.0, 0.002], equal_nan=True)


def test_gates_have_the_names_of_their_moment(tmp_path):
    entries = random_entries(100, 2, gates=(0,))
    change = {"gates": ["later"], "gate": [{"name": "later", "way": "left", "classes": ["A"]}]}
    change["monotonic_ns"] = int(entries["decided_ns"][59])
    journal = write(tmp_path / "a.journal", entries, events=[("change", change)])
    table = table_of_journal(journal)
    found = values_of(table)["gate"]
    known = entries["gate"] >= 0
    expected = np.where(np.arange(100) < 60, "ab", "later")
    assert [name for name, real in zip(names(table, "gate", found), known, strict=True) if real] == list(
        expected[known]
    )


def test_codes_without_a_label_and_more_than_one_bundle(tmp_path):
    entries = random_entries(30, 2)
    entries["bundle"][20:] = 1
    entries["reason"][5], entries["way"][5], entries["gate"][6] = 200, 9, 17
    table = table_of_journal(write(tmp_path / "a.journal", entries))
    found = values_of(table)
    assert names(table, "reason", found["reason"])[5] == "code 200"
    assert names(table, "way", found["way"])[5] == "code 9"
    assert names(table, "gate", found["gate"])[6] == "code 17"
    assert names(table, "bundle", found["bundle"])[19:21] == ["leukocytes", "code 1"]


def test_an_empty_journal(tmp_path):
    assert list(table_of_journal(write(tmp_path / "a.journal", random_entries(0, 1))).chunks()) == []


@pytest.mark.parametrize("ending", [".fcs", ".parquet", ".h5ad", ".csv"])
def test_the_command_writes_every_format(journal, tmp_path, ending):
    pytest.importorskip({".parquet": "pyarrow", ".h5ad": "h5py"}.get(ending, "numpy"))
    out = tmp_path / f"r{ending}"
    result = run(journal.path, "--out", out, "--out", tmp_path / "r.html", "--json", tmp_path / "r.json")
    assert result.exit_code == 0, result.exception
    assert f"500 decisions, {out}" in result.output.replace("\n", "")
    assert (tmp_path / "r.html").read_text().startswith("<!DOCTYPE html>")
    assert json.loads((tmp_path / "r.json").read_text())["series"] == "s1"
    table, back = table_of_journal(journal), read_results(out)
    known, found = values_of(table), values_of(back)
    for column in table.head.columns:
        expected = known[column.name]
        if ending == ".fcs" and column.dtype == "float64":
            expected = expected.astype(np.float32).astype(np.float64)
        assert np.array_equal(found[column.name], expected, equal_nan=expected.dtype.kind == "f"), column


def test_fcs_says_what_was_lost(journal, tmp_path):
    flowio = pytest.importorskip("flowio")
    run(journal.path, "--out", tmp_path / "r.fcs")
    text = flowio.FlowData(str(tmp_path / "r.fcs"), only_text=True).text
    reasons = journal.decisions["reason"]
    aborted = np.isin(reasons, [Reason.COINCIDENT, Reason.HARDWARE_ABORT]).sum()
    lost = np.isin(reasons, [Reason.INCOMPLETE, Reason.LATE, Reason.OVERLOAD, Reason.ENGINE_FAULT, Reason.CLOCK]).sum()
    assert (int(text["abrt"]), int(text["lost"])) == (aborted, lost)
    assert float(text["timestep"]) > 0


def test_the_journal_itself_is_never_written_over(journal):
    before = journal.path.read_bytes()
    fcs = journal.path.with_suffix(".fcs")
    fcs.symlink_to(journal.path)
    assert run(journal.path, "--out", fcs).exception.field == "--out"
    assert journal.path.read_bytes() == before


def test_a_header_may_name_nothing(tmp_path):
    header = gated_header(gates=(), ways=(), config={})
    found = values_of(table_of_journal(write(tmp_path / "a.journal", random_entries(20, 0), header)))
    assert len(found["seq"]) == 20
