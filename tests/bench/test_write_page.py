"""The page's figures are written from result files and from nothing else."""

import json
from pathlib import Path

import pytest

from bench.write_page import BEGIN, END, PAGE, write_page
from engines.errors import InputError

REPOSITORY = Path(__file__).parents[2]
SATURATION = {
    "bench": "saturation",
    "command": "cellgate bench saturation",
    "date": "2026-01-02 03:04:05 +0000",
    "environment": {
        "processor": "A processor",
        "cores": 2,
        "governor": "performance",
        "load_average": [0.1, 0.2, 0.3],
        "versions": {"python": "3.11.7"},
    },
    "bundle": "digital",
    "precision": "fp32",
    "sort_delay_us": 20000.0,
    "sweep": [{"share": 0.5, "rate": 500.0, "servers": {"streamer": {"goodput_per_s": 499.5}}}],
}


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(f"# Page\n\n{BEGIN}\nold figures\n{END}\n\nThe end.\n")
    return path


def test_figures_take_the_place_of_the_old_ones(page, tmp_path):
    result = tmp_path / "saturation.json"
    result.write_text(json.dumps(SATURATION))
    write_page(page, [result])
    text = page.read_text()
    assert text.startswith("# Page\n")
    assert text.endswith("The end.\n")
    assert "old figures" not in text
    assert "| 50% | 500 | 500 |" in text
    assert "A processor, 2 cores, governor performance" in text
    write_page(page, [result])
    assert page.read_text() == text


def test_a_file_that_is_no_result_or_a_page_without_marks_is_told(page, tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    with pytest.raises(InputError, match=r"bad\.json: result"):
        write_page(page, [bad])
    bare = tmp_path / "bare.md"
    bare.write_text("# Page\n")
    with pytest.raises(InputError, match="marks"):
        write_page(bare, [])


def test_the_real_page_has_its_marks():
    text = (REPOSITORY / PAGE).read_text()
    assert text.count(BEGIN) == text.count(END) == 1
