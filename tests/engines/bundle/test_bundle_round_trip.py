"""What is written as a bundle is what is loaded."""

import hashlib

import msgspec
import numpy as np
import pytest

from engines.bundle import InputSpec, OutputSpec, fingerprints, load_bundle, write_bundle
from engines.errors import BundleError
from tests.support.toy import CHANNELS, CLASSES, write_toy_bundle


def write(path, **changes):
    parts = {
        "name": "small",
        "classes": ("G1", "Früh", "M+S"),
        "inputs": InputSpec(("bf", "df"), "uint8", 5, 7, "resize"),
        "outputs": OutputSpec(3, ("a", "b")),
        "graphs": {"fp32": (b"graph of 32 bits", 18), "int8": (b"graph of 8 bits", 17)},
        "seen": np.array([5, 3, 5, 2**64 - 1], np.uint64),
        "training": {"epochs": 3, "nested": {"list": [1, 2.5, None]}},
        "metrics": {"accuracy": 0.75},
    }
    return write_bundle(path, **{**parts, **changes})


def test_a_bundle_is_loaded_as_it_was_written(tmp_path):
    written = write(tmp_path / "b")
    loaded = load_bundle(str(tmp_path / "b"))
    assert loaded == written
    manifest = loaded.manifest
    assert loaded.classes == ("G1", "Früh", "M+S")
    assert loaded.frame_shape == (2, 5, 7)
    assert loaded.dtype == np.uint8
    assert (manifest.name, manifest.input.fit, manifest.outputs.embedding) == ("small", "resize", 3)
    assert manifest.outputs.measurements == ("a", "b")
    assert manifest.training == {"epochs": 3, "nested": {"list": [1, 2.5, None]}}
    assert manifest.metrics == {"accuracy": 0.75}
    assert loaded.graph("fp32").read_bytes() == b"graph of 32 bits"
    assert loaded.graph("int8").read_bytes() == b"graph of 8 bits"
    assert [graph.opset for graph in manifest.graphs] == [18, 17]


def test_the_identity_is_the_hash_of_the_manifest_and_stays(tmp_path):
    first = write(tmp_path / "b")
    assert first.sha256 == hashlib.sha256((tmp_path / "b/manifest.json").read_bytes()).hexdigest()
    assert load_bundle(tmp_path / "b").sha256 == first.sha256
    (tmp_path / "b").rename(tmp_path / "elsewhere")
    assert load_bundle(tmp_path / "elsewhere").sha256 == first.sha256


def test_another_graph_is_another_identity(tmp_path):
    first = write(tmp_path / "b")
    created = first.manifest.created
    second = write(tmp_path / "c", graphs={"fp32": (b"another graph", 18)})
    manifest = tmp_path / "c/manifest.json"
    manifest.write_text(manifest.read_text().replace(second.manifest.created, created))
    assert load_bundle(tmp_path / "c").sha256 != first.sha256


def test_a_precision_that_is_not_there_is_named(tmp_path):
    bundle = write(tmp_path / "b", graphs={"fp32": (b"x", 18)})
    with pytest.raises(BundleError, match=r"graphs: found fp32, expected a graph of precision int8"):
        bundle.graph("int8")


def test_the_manifest_names_the_hash_of_every_other_file(tmp_path):
    write(tmp_path / "b")
    tree = msgspec.json.decode((tmp_path / "b/manifest.json").read_bytes())
    stated = {entry["file"]: entry["sha256"] for entry in [*tree["graphs"], tree["seen"]]}
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (tmp_path / "b").iterdir()}
    found.pop("manifest.json")
    assert stated == found


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_toy_bundle_says_what_it_takes(tmp_path, dtype):
    bundle = write_toy_bundle(tmp_path / "toy", height=6, width=9, dtype=dtype)
    assert bundle.frame_shape == (2, 6, 9)
    assert bundle.dtype == np.dtype(dtype)
    assert bundle.classes == CLASSES
    assert bundle.manifest.input.channels == CHANNELS


class TestSeen:
    frames = np.random.default_rng(0).integers(0, 4096, (20, 2, 5, 7), dtype=np.uint16)

    def test_trained_cells_are_recognised_and_no_others(self, tmp_path):
        bundle = write(tmp_path / "b", seen=fingerprints(self.frames[:12]))
        assert bundle.seen(self.frames).tolist() == [True] * 12 + [False] * 8

    def test_a_cell_that_differs_in_one_count_is_another(self, tmp_path):
        bundle = write(tmp_path / "b", seen=fingerprints(self.frames))
        changed = self.frames.copy()
        changed[4, 1, 4, 6] ^= 1
        assert np.flatnonzero(~bundle.seen(changed)).tolist() == [4]

    def test_byte_order_and_memory_order_do_not_matter(self, tmp_path):
        bundle = write(tmp_path / "b", seen=fingerprints(self.frames[:12].astype(">u2")))
        expected = [True] * 12 + [False] * 8
        assert bundle.seen(self.frames.astype(">u2")).tolist() == expected
        assert bundle.seen(np.asfortranarray(self.frames)).tolist() == expected
        assert bundle.seen(np.repeat(self.frames, 2, axis=1)[:, ::2]).tolist() == expected

    def test_the_fingerprint_is_the_start_of_the_sha256_of_the_little_endian_bytes(self):
        expected = [
            int.from_bytes(hashlib.sha256(cell.astype("<u2").tobytes()).digest()[:8], "little") for cell in self.frames
        ]
        assert fingerprints(self.frames).tolist() == expected

    def test_another_dtype_is_another_cell(self, tmp_path):
        bundle = write(tmp_path / "b", seen=fingerprints(self.frames))
        assert not bundle.seen(self.frames.astype(np.float32)).any()

    def test_without_fingerprints_no_cell_is_known(self, tmp_path):
        bundle = write(tmp_path / "b", seen=None)
        assert bundle.manifest.seen is None
        assert bundle.seen(self.frames).tolist() == [False] * 20

    def test_no_cells_have_no_fingerprints(self, tmp_path):
        bundle = write(tmp_path / "b", seen=fingerprints(self.frames))
        assert bundle.seen(self.frames[:0]).tolist() == []
