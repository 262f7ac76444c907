"""Measurements are computed where something looks at them, and only there."""

from pathlib import Path

import msgspec
import pytest

from engines.bundle import load_bundle, pretrained
from engines.errors import InputError
from streamer.config import parse_config
from streamer.decision import format_gatingml, needs_measurements, with_gating_file, without_gating_file


@pytest.fixture(scope="module")
def manifest():
    return load_bundle(pretrained("jurkat-student")).manifest


def config(*gates, **decision):
    return parse_config({"streamer": {"bundle": "-"}, "gate": list(gates), "decision": decision}, "test", Path())


def gate(feature, way="left", name="a"):
    found = {"name": name, "where": {feature: {"min": 0.5}}}
    return found if way is None else found | {"way": way}


@pytest.mark.parametrize(
    ("feature", "needed"),
    [("G1", False), ("G1+S", False), ("top", False), ("embedding[3]", False), ("brightfield:area", True),
     ("unfamiliarity", True)],
)  # fmt: skip
@pytest.mark.parametrize("way", ["left", None])
def test_a_gate_over_a_measurement_needs_it(manifest, feature, needed, way):
    assert needs_measurements(config(gate("G2", name="b"), gate(feature, way)), manifest) is needed


def test_a_limit_on_unfamiliarity_needs_it(manifest):
    assert needs_measurements(config(gate("G1"), max_unfamiliarity=2.0), manifest)
    assert not needs_measurements(config(), manifest)


def test_gates_of_a_file_count_and_are_read_once(manifest, tmp_path):
    file = tmp_path / "gates.xml"
    file.write_bytes(format_gatingml(config(gate("darkfield:max", name="bright")).gate))
    given = config(gate("G1"), gating_ml=str(file))
    assert needs_measurements(given, manifest)
    merged = without_gating_file(with_gating_file(given))
    file.unlink()
    assert needs_measurements(merged, manifest)
    assert [found.name for found in merged.gate] == ["a", "bright"]
    with pytest.raises(InputError):
        needs_measurements(msgspec.structs.replace(given), manifest)
