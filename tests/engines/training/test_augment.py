import pytest

torch = pytest.importorskip("torch")

from engines.training._augment import augment  # noqa: E402
from engines.training._recipe import Recipe  # noqa: E402

STILL = Recipe(rotate=0, shift=0, gain=0, offset=0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_shape_dtype_and_range_are_kept():
    frames = torch.rand(16, 2, 20, 24, generator=generator())
    changed = augment(frames, Recipe(gain=0, offset=0), generator(1))
    assert changed.shape == frames.shape
    assert changed.dtype == torch.float32
    # Interpolation and the background moving in from outside stay between what was there.
    assert changed.min() >= 0
    assert changed.max() <= frames.max() + 1e-6


def test_same_seed_same_cells():
    frames = torch.rand(8, 2, 20, 20, generator=generator())
    assert torch.equal(augment(frames, Recipe(), generator(1)), augment(frames, Recipe(), generator(1)))
    assert not torch.equal(augment(frames, Recipe(), generator(1)), augment(frames, Recipe(), generator(2)))


def test_all_eight_symmetries_occur_and_nothing_else():
    cell = torch.arange(9.0).reshape(1, 1, 3, 3)
    turned = [cell.rot90(k, (2, 3)) for k in range(4)]
    expected = {tuple(c.flatten().tolist()) for c in turned + [c.flip(3) for c in turned]}
    changed = augment(cell.repeat(400, 1, 1, 1), STILL, generator())
    assert {tuple(c.flatten().tolist()) for c in changed} == expected
    assert len(expected) == 8


def test_rectangles_are_never_transposed():
    cell = torch.arange(12.0).reshape(1, 1, 3, 4)
    changed = augment(cell.repeat(200, 1, 1, 1), STILL, generator())
    assert len({tuple(c.flatten().tolist()) for c in changed}) == 4


def test_unturned_cells_move_by_whole_pixels():
    frames = torch.zeros(100, 1, 21, 21)
    frames[:, :, 10, 10] = 1
    changed = augment(frames, Recipe(rotate=0, shift=2, gain=0, offset=0), generator())
    peak = changed.flatten(1).max(dim=1)
    assert torch.allclose(peak.values, torch.ones(100), atol=1e-4)
    rows, columns = peak.indices // 21 - 10, peak.indices % 21 - 10
    assert {*rows.tolist(), *columns.tolist()} == {-2, -1, 0, 1, 2}


@pytest.mark.parametrize("shape", [(21, 21), (21, 35)])
def test_rotation_turns_about_the_middle_and_keeps_distances(shape):
    height, width = shape
    frames = torch.zeros(50, 1, height, width)
    frames[:, :, height // 2, width // 2 + 6] = 1
    changed = augment(frames, Recipe(rotate=1, shift=0, gain=0, offset=0), generator())
    mass = changed.sum(dim=(1, 2, 3))
    rows = torch.arange(height) - height // 2
    columns = torch.arange(width) - width // 2
    y = (changed.sum(dim=(1, 3)) * rows).sum(1) / mass
    x = (changed.sum(dim=(1, 2)) * columns).sum(1) / mass
    assert torch.allclose(torch.hypot(x, y), torch.full((50,), 6.0), atol=0.3)
    assert torch.atan2(y, x).std() > 1


def test_gain_and_offset_differ_between_cells_and_channels():
    frames = torch.ones(500, 2, 4, 4)
    changed = augment(frames, Recipe(rotate=0, shift=0, gain=0.1, offset=0), generator())[:, :, 0, 0]
    assert changed.log().std(dim=0).tolist() == pytest.approx([0.1, 0.1], rel=0.15)
    assert abs(torch.corrcoef(changed.T)[0, 1].item()) < 0.2
    changed = augment(torch.zeros(500, 2, 4, 4), Recipe(rotate=0, shift=0, gain=0.1, offset=0.3), generator())
    assert changed[:, :, 0, 0].std(dim=0).tolist() == pytest.approx([0.3, 0.3], rel=0.15)


def test_focus_blurs_and_keeps_the_light():
    frames = torch.zeros(200, 2, 21, 21)
    frames[:, :, 10, 10] = 1
    changed = augment(frames, Recipe(rotate=0, shift=0, gain=0, offset=0, blur=1.5), generator())
    peaks = changed.amax(dim=(2, 3))
    assert torch.allclose(changed.sum(dim=(2, 3)), torch.ones(200, 2), atol=1e-3)
    assert torch.allclose(peaks[:, 0], peaks[:, 1], atol=1e-6)
    assert 0.35 < (peaks[:, 0] > 0.999).float().mean() < 0.65
    assert peaks.min() < 0.2


def test_noise_and_background_have_the_size_asked_for():
    still = {"rotate": 0, "shift": 0, "gain": 0, "offset": 0}
    empty = torch.zeros(300, 2, 24, 24)
    noisy = augment(empty, Recipe(**still, noise=0.2), generator())
    assert noisy.std().item() == pytest.approx(0.2, rel=0.02)
    uneven = augment(empty, Recipe(**still, background=0.5), generator())
    assert uneven.std().item() == pytest.approx(0.5, rel=0.3)
    # Smooth: neighbours differ much less than cells do.
    assert uneven.diff(dim=3).std() < 0.3 * uneven.std()


def test_pictures_to_foretell_move_along_and_keep_their_light():
    frames = torch.rand(40, 1, 21, 21, generator=generator()).repeat(1, 2, 1, 1)
    recipe = Recipe(gain=0.5, offset=0.5, noise=0.5, blur=1)
    moved = augment(frames, Recipe(gain=0, offset=0), generator(4))
    changed = augment(frames, recipe, generator(4), untouched=1)
    assert torch.equal(changed[:, 1], moved[:, 1])
    assert not torch.allclose(changed[:, 0], moved[:, 0], atol=0.1)
