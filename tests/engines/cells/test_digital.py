"""Digital cells: the same seed the same bytes, real cells' statistics, and phases that are what they say."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from engines.cells.digital import (
    BLOCK,
    CHANNELS,
    DEMO_MIX,
    PHASES,
    TARGET,
    TARGET_COUNTS,
    Measured,
    measure,
    render,
    stream,
)
from engines.errors import InputError

REAL = Path(__file__).parents[4] / "shared/data/jurkat/jurkat.npz"
EVEN = dict.fromkeys(PHASES, 1.0)
QUANTILES = (5, 25, 50, 75, 95)
FIGURES = [(channel, figure) for channel in CHANNELS for figure in ("mean", "std", "p99", "background")]


@pytest.fixture(scope="module")
def alike():
    """Cells in the phases of the real set, as many of each."""
    return render(3000, seed=11, class_mix=TARGET_COUNTS)


@pytest.fixture(scope="module")
def even():
    """As many cells of each phase."""
    return render(2100, seed=12, class_mix=EVEN)


@pytest.fixture(scope="module")
def rendered(alike):
    return measure(alike.frames)


@pytest.fixture(scope="module")
def real():
    if not REAL.exists():
        pytest.skip(f"needs the real Jurkat cells at {REAL.name}, in shared/data/jurkat beside the repository")
    with np.load(REAL) as archive:
        assert tuple(archive["channels"]) == CHANNELS
        assert tuple(archive["classes"]) == PHASES
        return measure(archive["frames"])


def _check_alike(cells: np.ndarray, target: Measured, figure: str) -> None:
    assert cells.mean() == pytest.approx(target.average, rel=0.02 if figure == "background" else 0.08)
    # Counts are whole, so a spread near 1 cannot be matched closer than about a third of a count.
    assert cells.std() == pytest.approx(target.spread, rel=0.27, abs=0.35)
    off = np.percentile(cells, QUANTILES) - target.quantiles
    assert np.abs(off).max() <= 0.65 * target.spread + 0.8
    assert np.abs(off[1:4]).max() <= 0.4 * target.spread + 0.8


@pytest.mark.parametrize(("channel", "figure"), FIGURES)
def test_intensities_are_those_measured_on_real_cells(rendered, channel, figure):
    _check_alike(rendered[figure][:, CHANNELS.index(channel)], TARGET[channel][figure], figure)


@pytest.mark.parametrize(("channel", "figure"), FIGURES)
def test_intensities_are_those_of_the_real_cells_themselves(rendered, real, channel, figure):
    cells = real[figure][:, CHANNELS.index(channel)]
    quantiles = tuple(float(value) for value in np.percentile(cells, QUANTILES))
    target = Measured(float(cells.mean()), float(cells.std()), quantiles)
    _check_alike(rendered[figure][:, CHANNELS.index(channel)], target, figure)
    # And the figures kept with the code are the real set's.
    kept = TARGET[channel][figure]
    assert (kept.average, kept.spread) == pytest.approx((target.average, target.spread), rel=0.01, abs=0.05)
    assert kept.quantiles == pytest.approx(quantiles, abs=0.051)


def test_cells_are_what_the_readers_give():
    cells = render(70, seed=3)
    assert cells.frames.shape == (70, 3, 40, 40)
    assert cells.frames.dtype == np.uint16
    assert cells.labels is not None
    assert (cells.labels.shape, cells.labels.dtype) == ((70,), np.int16)
    assert (cells.channels, cells.classes) == (CHANNELS, PHASES)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    one, again, other = render(100, seed=5), render(100, seed=5), render(100, seed=6)
    assert one.frames.tobytes() == again.frames.tobytes()
    assert np.array_equal(one.labels, again.labels)
    assert not np.array_equal(one.frames, other.frames)


def test_fewer_cells_are_the_first_of_more():
    assert np.array_equal(render(41, seed=5).frames, render(90, seed=5).frames[:41])


def test_stream_blocks_depend_on_the_seed_and_their_number_only():
    third = list(itertools.islice(stream(seed=9, debris=0.1), 3))[2]
    alone = next(stream(seed=9, first=2, debris=0.1))
    assert len(third) == BLOCK
    assert third.frames.tobytes() == alone.frames.tobytes()
    assert np.array_equal(third.labels, alone.labels)


def test_render_is_the_beginning_of_the_stream():
    blocks = list(itertools.islice(stream(seed=9), 2))
    joined = np.concatenate([block.frames for block in blocks])
    assert np.array_equal(render(BLOCK + 40, seed=9).frames, joined[: BLOCK + 40])


def test_no_cell_is_shown_twice():
    frames = render(300, seed=2).frames
    assert len({frame.tobytes() for frame in frames}) == len(frames)


def test_the_demo_mix_is_the_default_and_is_honoured():
    labels = render(2000, seed=4, height=16, width=16).labels
    shares = np.bincount(labels, minlength=len(PHASES)) / len(labels)
    assert sum(DEMO_MIX.values()) == pytest.approx(1)
    assert shares == pytest.approx([DEMO_MIX[name] for name in PHASES], abs=0.035)


def test_a_class_mix_is_honoured_in_any_unit():
    labels = render(600, seed=4, height=16, width=16, class_mix={"S": 30, "Telophase": 10}).labels
    assert set(labels) == {PHASES.index("S"), PHASES.index("Telophase")}
    assert (labels == PHASES.index("S")).mean() == pytest.approx(0.75, abs=0.06)


def test_debris_and_doublets_have_no_label_and_come_in_their_shares():
    labels = render(1000, seed=4, height=16, width=16, debris=0.2, doublets=0.1).labels
    assert (labels == -1).mean() == pytest.approx(0.3, abs=0.05)
    assert (render(64, seed=4, height=16, width=16, debris=0.75, doublets=0.25).labels == -1).all()


def _pi(cells):
    frames = cells.frames[:, 1].astype(np.float64)
    return np.maximum(frames - 41, 0) * (frames > 55)


def _area(frames):
    """Pixels that bright field shows to hold something."""
    return (np.abs(frames[:, 0].astype(np.float64) - 677) > 25).sum(axis=(1, 2))


def _moments(image):
    """Return the centre, the variances along the longer and the shorter axis, and the longer axis, of each image."""
    y, x = np.mgrid[: image.shape[1], : image.shape[2]].astype(np.float64)
    total = image.sum(axis=(1, 2)) + 1e-9
    cy, cx = ((image * axis).sum(axis=(1, 2)) / total for axis in (y, x))
    dy, dx = y - cy[:, None, None], x - cx[:, None, None]
    yy, xx, xy = ((image * product).sum(axis=(1, 2)) / total for product in (dy * dy, dx * dx, dx * dy))
    half, gap = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    angle = np.arctan2(2 * xy, xx - yy) / 2
    return dx, dy, half + gap, half - gap, angle


def _dip(image):
    """Return how far each image's light dips in the middle of its longer axis: 0 for one mass, near 1 for two apart."""
    dx, dy, *_, angle = _moments(image)
    along = dx * np.cos(angle)[:, None, None] + dy * np.sin(angle)[:, None, None]

    def light(where):
        return (image * where).sum(axis=(1, 2)) / np.maximum(where.sum(axis=(1, 2)), 1)

    peaks = [
        np.max([light((side * along >= at) & (side * along < at + 2)) for at in (3, 5, 7, 9)], 0) for side in (1, -1)
    ]
    return 1 - light(np.abs(along) < 1.5) / np.maximum(np.minimum(*peaks), 1)


def test_pi_grows_from_one_dna_content_to_two(even):
    amount = _pi(even).sum(axis=(1, 2))
    g1, s, g2 = (amount[even.labels == PHASES.index(name)] for name in ("G1", "S", "G2"))
    assert 1.2 < np.median(s) / np.median(g1) < 1.5
    assert 1.7 < np.median(g2) / np.median(g1) < 2.1
    # Populations with spread, not three numbers.
    assert 0.06 < g1.std() / g1.mean() < 0.2
    assert np.percentile(g1, 98) > np.percentile(s, 2)


def test_cells_grow_through_the_cycle(even):
    area = _area(even.frames)
    sizes = [np.median(area[even.labels == PHASES.index(name)]) for name in ("G1", "S", "G2", "Prophase")]
    assert sizes == sorted(sizes)
    assert sizes[-1] > 1.15 * sizes[0]


def test_a_metaphase_plate_is_a_bar(even):
    *_, longer, shorter, _ = _moments(_pi(even))
    shape = np.sqrt(shorter / longer)
    assert np.median(shape[even.labels == PHASES.index("Metaphase")]) < 0.75
    assert np.median(shape[even.labels == PHASES.index("G2")]) > 0.85


def test_anaphase_and_telophase_have_two_masses_on_the_division_axis(even):
    pi = _pi(even)
    dip = _dip(pi)
    by_phase = {name: np.median(dip[even.labels == k]) for k, name in enumerate(PHASES)}
    assert by_phase["Anaphase"] > 0.12
    assert by_phase["Telophase"] > 0.5
    assert max(by_phase[name] for name in ("G1", "S", "G2", "Metaphase")) < 0


def test_prophase_chromatin_is_grainier_than_g2s(even):
    pi = _pi(even)
    peak = np.percentile(pi, 99, axis=(1, 2))
    middle = pi[:, 14:26, 14:26]
    grain = middle.std(axis=(1, 2)) / peak
    assert np.median(grain[even.labels == PHASES.index("Prophase")]) > 1.1 * np.median(
        grain[even.labels == PHASES.index("G2")]
    )


def test_debris_is_smaller_and_dimmer_and_doublets_larger():
    one = {"G1": 1.0}
    g1, bits, pairs = (render(128, seed=8, class_mix=one, **more) for more in ({}, {"debris": 1.0}, {"doublets": 1.0}))
    size = {name: np.median(_area(cells.frames)) for name, cells in (("g1", g1), ("bits", bits), ("pairs", pairs))}
    pi = {
        name: np.median(_pi(cells).sum(axis=(1, 2))) for name, cells in (("g1", g1), ("bits", bits), ("pairs", pairs))
    }
    assert size["bits"] < 0.4 * size["g1"]
    assert pi["bits"] < 0.3 * pi["g1"]
    assert size["pairs"] > 1.4 * size["g1"]
    assert 1.7 < pi["pairs"] / pi["g1"] < 2.3


def test_focus_varies_from_cell_to_cell():
    pi = _pi(render(256, seed=8, class_mix={"G1": 1.0}))
    rows, columns = np.gradient(pi, axis=(1, 2))
    sharp = np.percentile(np.hypot(rows, columns), 98, axis=(1, 2)) / np.percentile(pi, 98, axis=(1, 2))
    assert np.percentile(sharp, 95) > 1.5 * np.percentile(sharp, 5)


def test_cells_lie_in_every_direction():
    *_, angle = _moments(_pi(render(256, seed=8, class_mix={"Metaphase": 1.0})))
    assert abs(np.exp(2j * angle).mean()) < 0.2


@pytest.mark.parametrize(("height", "width"), [(16, 16), (33, 48), (64, 50)])
def test_other_sizes_show_the_same_cells_at_the_same_scale(height, width):
    cells = render(64, seed=1, height=height, width=width)
    assert cells.frames.shape == (64, 3, height, width)
    centre = render(64, seed=1).frames[:, 1, 19:21, 19:21].mean()
    middle = cells.frames[:, 1, (height - 1) // 2 : height // 2 + 1, (width - 1) // 2 : width // 2 + 1]
    assert middle.mean() == pytest.approx(centre, rel=0.1)
    if min(height, width) >= 48:
        assert np.median(_area(cells.frames)) == pytest.approx(np.median(_area(render(64, seed=1).frames)), rel=0.1)


def test_the_phases_can_be_told_apart_by_a_few_measured_features(even):
    # Nearest centroid on plain measurements: the pictures carry the class, though not so that it is trivial.
    pi = _pi(even)
    amount, area = pi.sum(axis=(1, 2)), _area(even.frames)
    *_, longer, shorter, _ = _moments(pi)
    p99 = np.percentile(pi, 99, axis=(1, 2))
    features = np.stack(
        [np.log(amount), np.log(area), np.sqrt(longer), np.sqrt(shorter), _dip(pi), np.log(p99)], axis=1
    )
    half = len(features) // 2
    features = (features - features[:half].mean(axis=0)) / features[:half].std(axis=0)
    labels = np.asarray(even.labels)
    centroids = np.stack([features[:half][labels[:half] == k].mean(axis=0) for k in range(len(PHASES))])
    guess = np.linalg.norm(features[half:, None] - centroids, axis=2).argmin(axis=1)
    right = (guess == labels[half:]).mean()
    assert 0.6 < right < 0.99


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("n", {"n": 0}),
        ("n", {"n": 2.5}),
        ("seed", {"seed": -1}),
        ("height", {"height": 15}),
        ("width", {"width": 100_000}),
        ("class_mix", {"class_mix": {"G3": 1.0}}),
        ("class_mix", {"class_mix": {}}),
        ("class_mix", {"class_mix": ["G1"]}),
        ("class_mix[S]", {"class_mix": {"G1": 1.0, "S": -0.1}}),
        ("class_mix[S]", {"class_mix": {"S": float("nan")}}),
        ("debris", {"debris": 1.2}),
        ("doublets", {"doublets": "many"}),
        ("doublets", {"debris": 0.6, "doublets": 0.6}),
    ],
)
def test_a_bad_argument_is_named(field, arguments):
    with pytest.raises(InputError) as caught:
        render(**{"n": 4, **arguments})
    assert caught.value.field == field


def test_a_stream_checks_its_arguments_at_the_call():
    with pytest.raises(InputError, match="first"):
        stream(first=-1)
