"""Figures of a recording and its contact sheet."""

import io

import numpy as np
import pytest
from PIL import Image

from engines.cells import contact_sheet, open_recording, spread, summarise
from engines.errors import CellsError
from tests.support.made_cells import MadeRecording, constant


def made(n=10, **options):
    return MadeRecording([constant(i, 10 + i % 3, 20) for i in range(n)], **options)


def test_the_figures_are_those_of_the_cells():
    recording = made(
        12,
        labels=[0] * 7 + [1] * 3 + [-1] * 2,
        classes=("a", "b", "never"),
        groups=["x"] * 6 + ["w"] * 5 + [""],
        times=[i / 100 for i in range(12)],
    )
    summary = summarise(recording)
    assert (summary.kind, summary.cells, summary.looked_at) == ("made", 12, 12)
    assert (summary.heights, summary.widths) == ((10, 11, 12), (20, 20, 20))
    assert (summary.channels, summary.dtype, summary.pixel_um) == (("a", "b"), "uint16", 0.5)
    assert summary.classes == {"a": 7, "b": 3, "never": 0}
    assert summary.unlabelled == 2
    assert summary.groups == {"w": 5, "x": 6}
    assert summary.trigger_rate == pytest.approx(100)
    assert summary.facts == ("number",)
    assert summary.about == {"instrument": "none"}
    assert summary.skipped == {}


def test_damaged_cells_are_counted_and_the_rest_is_summed_up():
    frames = [constant(1, 4, 4), None, constant(1, 4, 4)]
    summary = summarise(MadeRecording(frames))
    assert (summary.cells, summary.looked_at, summary.skipped) == (3, 2, {"frame: a scratch": 1})
    assert summary.trigger_rate is None


def test_of_many_cells_only_some_spread_over_them_are_read():
    recording = made(1000, times=[i / 50 for i in range(1000)])
    summary = summarise(recording, look_at=10)
    assert summary.looked_at == 10
    assert recording.asked == spread(1000, 10)
    assert (recording.asked[0], recording.asked[-1]) == (0, 999)
    assert summary.trigger_rate == pytest.approx(50), "the rate is of all cells, not of those looked at"


@pytest.mark.parametrize(("n", "most"), [(1, 5), (5, 5), (7, 3), (10**6, 100)])
def test_a_spread_is_ascending_and_without_repeats(n, most):
    indices = spread(n, most)
    assert len(indices) == len(set(indices)) == min(n, most)
    assert indices == sorted(indices)
    assert 0 <= indices[0] <= indices[-1] < n


def pixels(raw):
    return np.asarray(Image.open(io.BytesIO(raw)))


def test_a_contact_sheet_shows_every_class_and_channel():
    rng = np.random.default_rng(0)
    frames = [
        np.stack([np.full((40, 40), 900, np.uint16), rng.integers(0, 99, (40, 40)).astype(np.uint16)])
        for _ in range(60)
    ]
    frames[59][0, 10:30, 10:30] = 4000  # the one cell of the rare class
    recording = MadeRecording(frames, labels=[0] * 59 + [1], classes=("common", "rare"), shape=(40, 40))
    sheet = pixels(contact_sheet(recording, cells=6))
    assert sheet.ndim == 2
    assert sheet.shape[0] * sheet.shape[1] >= 6 * 2 * 40 * 40
    assert sheet.min() == 0
    assert 60 < np.unique(sheet).size <= 256
    # A square of 20 × 20 of the brightest gray inside a dark frame: only the rare cell has one.
    inside = [sheet[y : y + 20, x : x + 20] for y in range(0, sheet.shape[0] - 20, 2) for x in range(0, 260, 2)]
    assert any((part == 255).all() for part in inside)


def test_each_channel_has_its_own_contrast_and_wide_cells_are_made_smaller():
    ramp = np.linspace(0, 1, 1000)[None, :].repeat(400, axis=0)
    frame = np.stack([(ramp * 60_000).astype(np.uint16), (ramp * 6).astype(np.uint16)])
    sheet = pixels(contact_sheet(MadeRecording([frame, frame]), cells=2))
    assert max(sheet.shape) < 1000
    right = sheet[40:80, 170:320]
    assert right.min() < 10
    assert right.max() > 245, "the dim channel is not dark"


def test_damaged_cells_are_not_on_the_sheet_and_none_at_all_is_an_error():
    frames = [constant(5, 8, 8), None] * 10
    assert pixels(contact_sheet(MadeRecording(frames))).size
    damaged = MadeRecording([constant(1, 4, 4), None])
    damaged._frames = [None, None]
    with pytest.raises(CellsError, match="none that can be read"):
        contact_sheet(damaged)


def test_the_jurkat_cells_are_counted_right(jurkat_file):
    with open_recording(jurkat_file) as recording:
        summary = summarise(recording)
    assert summary.cells == summary.looked_at == 6692
    assert summary.classes == {
        "G1": 4319,
        "S": 900,
        "G2": 900,
        "Prophase": 485,
        "Metaphase": 54,
        "Anaphase": 12,
        "Telophase": 22,
    }
    assert (summary.heights, summary.widths, summary.dtype) == ((40, 40, 40), (40, 40, 40), "uint16")
    assert summary.channels == ("brightfield", "PI", "darkfield")
