import io
import re
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engines.bundle import Bundle, GraphEntry, InputSpec, Manifest, OutputSpec
from engines.cells import Cells
from engines.errors import MissingExtraError
from engines.evaluation import Evaluation, Found, Made, UnknownClass, format_page, measure, write_report
from engines.evaluation._embedding_map import lay_out, principal_components
from engines.evaluation._groups import group_figures
from engines.evaluation._png import encode_png
from tests.support.page import Page


def evaluation(k=3, n=60, *, names=None, right=0.8, side=9, channels=("brightfield", "darkfield"), **options):
    """An evaluation of made-up answers: n cells of k classes, this share of them called rightly."""
    generator = np.random.default_rng(k * n)
    names = names or tuple(f"class {i}" for i in range(k))
    labels = np.arange(n) % k
    p = generator.dirichlet(np.ones(k), n) * 0.2
    called = np.where(generator.random(n) < right, labels, (labels + 1) % k)
    p[np.arange(n), called] += 0.8
    frames = generator.integers(0, 4000, (n, len(channels), side, side + 2)).astype(np.uint16)
    manifest = Manifest(
        format="cellgate-bundle",
        version=1,
        name="made-up",
        created="2026-01-01T00:00:00Z",
        classes=names,
        input=InputSpec(channels[:1], "uint16", side, side),
        outputs=OutputSpec(6, ()),
        graphs=(GraphEntry("fp32.onnx", "0" * 64, "fp32", 18),),
    )
    found = measure(p, labels, names, **options)
    made = Made("made-up", "ab" * 32, "cells.npz", "an engine", "2026-01-02T03:04:05Z", "cellgate evaluate", {})
    groups = group_figures(np.where(np.arange(n) % 2, "odd", "even"), p.argmax(1) == labels, labels, "cells")
    report = Found(
        made=made,
        cells_read=n + 7,
        skipped={"damaged": 1},
        unlabelled=2,
        left_out_seen=3,
        seen_cells=4,
        classes_without_cells=[c.name for c in found.per_class if not c.cells],
        unknown_classes=[UnknownClass("stranger", 1, 0.9, {names[0]: 1}, {"0.01": 1.0, "0.02": None, "0.05": 0.0})],
        figures=found,
        groups=groups,
    )
    bundle = Bundle(Path("nowhere"), manifest, "ab" * 32)
    cells = Cells("cells.npz", frames, channels, names, labels.astype(np.int16))
    embedding = generator.normal(size=(n, 6)).astype(np.float32)
    return Evaluation(report, bundle, cells, np.arange(n), labels, p.astype(np.float32), np.arange(n), embedding)


def test_the_page_holds_the_figures():
    given = evaluation(class_mix={"class 0": 1, "class 1": 2, "class 2": 1}, merge={"late": ("class 1", "class 2")})
    text, found = Page(format_page(given)).text, given.figures
    shares = [found.accuracy, found.balanced_accuracy, found.merged.figures.accuracy, found.ece]
    shares += [w.accuracy for w in (found.at_class_mix.recall_weighted, found.at_class_mix.prior_corrected)]
    shares += [c.recall for c in found.per_class] + [c.precision for c in found.per_class]
    for share in shares:
        assert f"{100 * share:.1f} %" in text
    low, high = found.accuracy_95.wilson
    assert f"{100 * low:.1f} – {100 * high:.1f} %" in text
    for row in found.confusion:
        for n in filter(None, row):
            assert f" {n} " in text
    for said in (
        "Of 60 cells, 4 seen while the bundle was trained",
        "2 cells left out for lack of a label",
        "3 cells left out that training had looked at",
        "1 cell not read: damaged",
        "stranger",
        "class 1, class 2 as late",
        "brightfield, darkfield (not shown to the bundle)",
        "ab" * 32,
        "2026-01-02 03:04:05 UTC",
    ):
        assert said in text
    assert text.count("even") >= 1


@pytest.mark.parametrize(("k", "n"), [(2, 2), (2, 500), (3, 1), (7, 8), (40, 400), (70, 71)])
@pytest.mark.parametrize("right", [0.0, 0.7, 1.0])
def test_pages_of_any_size_are_whole_and_need_nothing_else(k, n, right):
    html = format_page(evaluation(k, n, right=right))
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not {"href", "srcset", "action", "data"} & {name for name, _ in page.attributes}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert all(value.startswith("data:image/png;base64,") for name, value in page.attributes if name == "src")
    for outside in ("http:", "https:", "url(", "@import", "nan", "None"):
        assert outside not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", html)


def test_what_names_say_stays_text():
    bad = ('<script>alert("1")</script>\x1b', "a&b", 'c" onload="x')
    given = evaluation(
        3, 30, names=bad, merge={'"><b>': bad[:2]}, class_mix=dict.fromkeys(bad, 1.0), channels=("<i>", "x")
    )
    page = Page(format_page(given))
    assert not {"script", "b"} & set(page.tags)
    assert "onload" not in {name for name, _ in page.attributes}
    assert '<script>alert("1")</script>\ufffd' in page.text
    assert "<i>" in page.text


def test_cells_of_each_kind_are_shown():
    given = evaluation(3, 60)
    html = format_page(given)
    right = given.probabilities.argmax(1) == given.labels
    expected = sum(min(4, int(((given.labels == k) & kind).sum())) for k in range(3) for kind in (right, ~right))
    assert html.count("<img ") == expected
    surest = max(np.flatnonzero(right & (given.labels == 0)), key=lambda i: given.probabilities[i].max())
    assert f'alt="cell {surest}, class 0"' in html


def test_large_frames_are_shown_small():
    html = format_page(evaluation(2, 8, side=300))
    assert len(html) < 500_000


def test_the_page_is_written_whole(tmp_path):
    path = write_report(evaluation(), tmp_path / "deep" / "er")
    assert path == tmp_path / "deep" / "er" / "index.html"
    assert [p.name for p in path.parent.iterdir()] == ["index.html"]
    assert path.read_text().endswith("</html>\n")


def test_one_point_per_cell_on_the_map():
    given = evaluation(3, 60)
    html = format_page(given)
    spots = re.findall(r'<path class="(?:points|wrong)"[^>]* d="([^"]*)"', html)
    assert sum(d.count("h0") for d in spots) == 60
    at = np.array([tuple(map(int, pair)) for d in spots for pair in re.findall(r"M(\d+) (\d+)h0", d)])
    assert at.shape == (60, 2)
    assert (at >= 0).all() and (at <= [1000, 620]).all()


def test_a_cell_far_off_does_not_press_the_others_together():
    given = evaluation(3, 300)
    embedding = given.embedding.copy()
    embedding[7] = 1e6
    html = format_page(replace(given, embedding=embedding))
    assert "1 cell far off drawn at the edge" in html
    spots = re.findall(r'<path class="(?:points|wrong)"[^>]* d="([^"]*)"', html)
    across = [int(x) for d in spots for x in re.findall(r"M(\d+) \d+h0", d)]
    assert np.percentile(across, 90) - np.percentile(across, 10) > 100


# Pieces


def test_principal_components_are_those_of_the_singular_values():
    generator = np.random.default_rng(0)
    for shape in ((50, 8), (8, 50), (1, 4), (5, 1)):
        values = generator.normal(size=shape).astype(np.float32)
        found, explained = principal_components(values, 2)
        left, sizes, _ = np.linalg.svd(values.astype(float) - values.astype(float).mean(0), full_matrices=False)
        expected = np.zeros((shape[0], 2))
        expected[:, : min(2, len(sizes))] = (left * sizes)[:, :2]
        np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-4)
        share = (sizes**2 / max((sizes**2).sum(), 1e-9))[:2]
        np.testing.assert_allclose(explained[: len(share)], share, atol=1e-6)


def test_a_broken_embedding_still_has_a_map():
    values = np.ones((6, 3), np.float32)
    values[0] = np.nan, np.inf, -np.inf
    positions, _ = lay_out(values, "pca")
    assert np.isfinite(positions).all()


def test_t_sne_keeps_clusters_apart():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    generator = np.random.default_rng(1)
    values = np.concatenate([generator.normal(0, 0.1, (30, 5)), generator.normal(9, 0.1, (30, 5))]).astype(np.float32)
    positions, how = lay_out(values, "tsne")
    assert "t-SNE" in how
    centres = positions[:30].mean(0), positions[30:].mean(0)
    inside = np.linalg.norm(positions[:30] - centres[0], axis=1).mean()
    assert np.linalg.norm(centres[0] - centres[1]) > 2 * inside
    assert "principal" in lay_out(values[:3], "tsne")[1]


def test_t_sne_without_scikit_learn_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(MissingExtraError, match="t-SNE map needs the optional dependencies 'explore'"):
        lay_out(np.zeros((9, 2), np.float32), "tsne")


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (40, 122)])
def test_pictures_are_png(shape):
    grey = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    data = encode_png(grey)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert data[8:16] == b"\x00\x00\x00\rIHDR"
    assert data.endswith(b"IEND" + zlib.crc32(b"IEND").to_bytes(4, "big"))
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    np.testing.assert_array_equal(np.asarray(image.open(io.BytesIO(data))), grey)


def test_more_groups_than_a_page_holds():
    given = evaluation()
    many = [msgspec.structs.replace(given.found.groups[0], name=f"day {i}") for i in range(250)]
    found = msgspec.structs.replace(given.found, groups=many)
    assert "and 50 better ones" in Page(format_page(replace(given, found=found))).text
