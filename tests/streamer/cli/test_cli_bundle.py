"""`cellgate bundle` checks a bundle and says what it is."""

import json

import pytest

from tests.support.toy import CLASSES, write_toy_bundle


@pytest.fixture
def bundle(tmp_path):
    return write_toy_bundle(tmp_path / "toy")


def test_a_good_bundle_is_described(cellgate, bundle):
    result = cellgate("bundle", "toy")
    assert (result.returncode, result.stderr) == (0, "")
    rows = dict(line.split("  ", 1) for line in result.stdout.splitlines())
    rows = {key.strip(): value.strip() for key, value in rows.items()}
    assert rows["name"] == "toy"
    assert rows["sha256"] == bundle.sha256
    assert rows["classes"] == ", ".join(CLASSES)
    assert rows["channels"] == "brightfield, darkfield"
    assert rows["input"] == "2×8×8 uint16, other sizes by crop-pad"
    assert rows["graphs"] == "fp32 (fp32.onnx)"
    assert rows["trained: network"] == "none"


def test_json_is_the_whole_manifest(cellgate, bundle):
    result = cellgate("bundle", "toy", "--json")
    assert result.returncode == 0
    found = json.loads(result.stdout)
    assert found["sha256"] == bundle.sha256
    assert found["manifest"] == json.loads((bundle.path / "manifest.json").read_text())


def test_an_altered_graph_is_named(cellgate, bundle):
    graph = bundle.graph()
    graph.write_bytes(graph.read_bytes()[:-1] + b"\x00")
    result = cellgate("bundle", "toy")
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("cellgate: toy/fp32.onnx: sha256: found ")
