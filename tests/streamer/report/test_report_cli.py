import json

import pytest
import typer
from typer.testing import CliRunner

from engines.errors import InputError
from streamer.cli.report import report_command
from streamer.report import SortReport, format_page, report_of
from tests.support.report_samples import gated_header, random_entries, write


def run(*words):
    app = typer.Typer()
    app.command()(report_command)
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_table(journal):
    result = run(journal.path)
    assert result.exit_code == 0
    report = report_of(journal)
    for way in report.ways:
        assert way.name in result.output
        assert f"{way.efficiency_percent:.2f} %" in result.output
        assert f"{100 * way.purity.low:.2f} to {100 * way.purity.high:.2f} %" in result.output
    for said in ("abort: coincident", "hardware abort: hardware_abort", "sent 500 = decided 500", "note: way right"):
        assert said in result.output


def test_json_and_page(journal, tmp_path):
    result = run(journal.path, "--json", tmp_path / "r.json", "--out", tmp_path / "r.html")
    assert result.exit_code == 0
    report = report_of(journal)
    assert set(json.loads((tmp_path / "r.json").read_text())) == set(SortReport.__struct_fields__)
    assert (tmp_path / "r.html").read_text() == format_page(report)


def test_a_series_without_gates(tmp_path):
    entries = random_entries(20, 0, gates=(-1,))
    journal = write(tmp_path / "a.journal", entries, gated_header(gates=(), config={}), closed=False)
    result = run(journal.path)
    assert "no gate leads to a way" in result.output
    assert "note: the journal is not closed" in result.output


def test_labels_stay_text(tmp_path):
    header = gated_header(ways=("waste", "[red]x[/red]\x1b", "right"), config={})
    assert "[red]x[/red]�" in run(write(tmp_path / "a.journal", random_entries(90, 3), header).path).output


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["none.journal"], "journal"),
        (["bad.journal"], "magic"),
        (["s1.journal", "--json", "no/where.json"], "--json"),
        (["s1.journal", "--out", "no/where.html"], "--out"),
        (["s1.journal", "--out", "s1.journal"], "--out"),
        (["s1.journal", "--json", "s1.journal"], "--json"),
    ],
)
def test_bad_input_is_told_in_one_line(journal, tmp_path, monkeypatch, words, field):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.journal").write_bytes(b"no journal at all")
    before = journal.path.read_bytes()
    error = run(*words).exception
    assert isinstance(error, InputError)
    assert error.field == field
    assert journal.path.read_bytes() == before
