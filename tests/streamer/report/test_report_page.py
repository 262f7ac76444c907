import msgspec
import pytest

from streamer.report import SortReport, Timing, format_page, report_of, write_page
from streamer.report._page_text import escape
from tests.support.page import Page
from tests.support.report_samples import gated_header, random_entries, write


def test_the_page_holds_the_numbers(journal):
    report = report_of(journal)
    text = Page(format_page(report)).text
    for way in report.ways:
        assert way.name in text
        assert f"{way.efficiency_percent:.1f} %" in text
        assert f"{100 * way.purity.estimate:.1f} %" in text
        assert f"{100 * way.purity.low:.1f} – {100 * way.purity.high:.1f} %" in text
        for number in (way.in_gate, way.sorted, *way.aborts.software.values(), *way.aborts.hardware.values()):
            assert f" {number} " in text
        for reason in way.aborts.software:
            assert reason.replace("_", " ") in text
    assert "✓ 500 sent = 500 decided + 0 missing" in text
    assert f"✓ {report.account.kept} kept = " in text
    assert "✗" not in text
    for said in ("ended by the cytometer", "AB", "leukocytes", "ab" * 32, "window 150 µs", "Signature", "yield mode"):
        assert said in text


def test_the_page_needs_nothing_else(journal):
    html = format_page(report_of(journal))
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not {"src", "href", "srcset", "action", "data"} & {name for name, _ in page.attributes}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    for outside in ("http:", "https:", "url(", "@import", "//"):
        assert outside not in html


def test_what_names_say_stays_text(tmp_path):
    bad = '<script>alert("1")</script>\x1b[2J'
    header = gated_header(series="s1", info={"operator": bad, bad: bad}, ways=("waste", bad, "right"), config={})
    page = Page(format_page(report_of(write(tmp_path / "a.journal", random_entries(90, 3), header))))
    assert "script" not in page.tags
    assert '<script>alert("1")</script>\ufffd[2J' in page.text
    assert escape("<\x00>") == "&lt;\ufffd&gt;"


@pytest.mark.parametrize("n", [0, 1])
def test_pages_of_hardly_any_cells(tmp_path, n):
    text = Page(format_page(report_of(write(tmp_path / "a.journal", random_entries(n, 0), closed=False)))).text
    assert "not closed" in text
    if not n:
        assert "Nothing was decided." in text
        assert "No in-gate cell was lost." in text


def test_a_page_without_ways(tmp_path):
    header = gated_header(gates=(), config={})
    report = report_of(write(tmp_path / "a.journal", random_entries(20, 0, gates=(-1,)), header))
    assert "No gate leads to a way" in Page(format_page(report)).text


def altered(report, **changes) -> SortReport:
    return msgspec.structs.replace(report, **changes)


def test_sums_that_do_not_hold_are_crossed_out(journal):
    report = report_of(journal)
    account = msgspec.structs.replace(report.account, kept=1, pending=2)
    text = Page(format_page(altered(report, account=account, account_errors=["kept is wrong"]))).text
    assert "✗ 500 sent = 500 decided + 2 pending + 0 missing" in text
    assert "✗ kept is wrong" in text


def test_bucket_edges_are_given_as_bounds(journal):
    timing = Timing(
        latency_us={"p50": 1500.0}, slack_us={"min": -20.0}, with_deadline=0, deadline_misses=0, exact=False
    )
    text = Page(format_page(altered(report_of(journal), timing=timing, started_unix_ns=2**70))).text
    assert "≤ 1 500" in text
    assert "≥ -20" in text
    assert "No deadline was set." in text
    assert str(2**70) in text


def test_writing_the_page(journal, tmp_path):
    report = report_of(journal)
    write_page(report, tmp_path / "s1.sort.html")
    assert (tmp_path / "s1.sort.html").read_text(encoding="utf-8") == format_page(report)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s1.journal", "s1.sort.html"]
    with pytest.raises(OSError, match="No such file"):
        write_page(report, tmp_path / "nowhere" / "a.html")
