"""A configuration that is right is read as it stands, and every field has its default."""

from pathlib import Path

import pytest

from engines.errors import InputError
from streamer.config import DEFAULT_CELLS, DEFAULT_DECISIONS, DEFAULT_TELEMETRY, Bound, load_config, parse_config

EVERYTHING = """
[streamer]
bundle = "bundles/jurkat"
cells = "ipc:///run/cellgate/cells"
decisions = "tcp://localhost:6002"
telemetry = "tcp://[::1]:6003"
journal = "/var/lib/cellgate"
slots = 128
heartbeat_s = 0.5
snapshot_s = 1

[engine]
name = "openvino"
precision = "int8"
threads = 4
ladder = [1, 16]

[timing]
sort_delay_us = 50000
actuation_lead_us = 1000.5
publish_margin_us = 0

[decision]
armed = false
min_confidence = 0.25

[journal]
sync_s = 0.1
on_fault = "continue"

[[gate]]
name = "mitotic cells"
way = "left"
where = { "Prophase+Metaphase" = { min = 0.5 }, G1 = { max = 0.1 } }

[[gate]]
name = "G2"
way = "waste"
where = { G2 = { min = 0.25, max = 0.75 } }
"""


def write(tmp_path, text):
    path = tmp_path / "cellgate.toml"
    path.write_text(text)
    return path


def test_every_field_is_read(tmp_path):
    config = load_config(write(tmp_path, EVERYTHING))
    section = config.streamer
    assert section.cells == "ipc:///run/cellgate/cells"
    assert section.decisions == "tcp://localhost:6002"
    assert section.telemetry == "tcp://[::1]:6003"
    assert (section.slots, section.heartbeat_s, section.snapshot_s) == (128, 0.5, 1)
    engine = config.engine
    assert (engine.name, engine.precision, engine.threads, engine.ladder) == ("openvino", "int8", 4, (1, 16))
    timing = config.timing
    assert (timing.sort_delay_us, timing.actuation_lead_us, timing.publish_margin_us) == (50000, 1000.5, 0)
    assert (config.decision.armed, config.decision.min_confidence) == (False, 0.25)
    assert (config.journal.sync_s, config.journal.on_fault) == (0.1, "continue")
    mitotic, g2 = config.gate
    assert (mitotic.name, mitotic.way) == ("mitotic cells", "left")
    assert mitotic.where == {"Prophase+Metaphase": Bound(0.5, None), "G1": Bound(None, 0.1)}
    assert (g2.name, g2.way, g2.where) == ("G2", "waste", {"G2": Bound(0.25, 0.75)})


def test_a_bundle_is_all_that_must_be_said(tmp_path):
    config = load_config(write(tmp_path, '[streamer]\nbundle = "b"'))
    section = config.streamer
    assert (section.cells, section.decisions, section.telemetry) == (
        DEFAULT_CELLS,
        DEFAULT_DECISIONS,
        DEFAULT_TELEMETRY,
    )
    assert config.engine.ladder == (1, 2, 4, 8, 16, 32)
    assert config.timing.sort_delay_us is None
    assert config.decision.armed
    assert config.decision.min_confidence == 0
    assert config.journal.on_fault == "disarm"
    assert config.security.server_secret_key is None
    assert config.gate == ()


def test_relative_paths_are_taken_from_the_directory_of_the_file(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    path = write(
        tmp_path / "here",
        '[streamer]\nbundle = "../b"\njournal = "j"\n[security]\nserver_secret_key = "k/s"\nauthorized_keys = "k"',
    )
    monkeypatch.chdir(tmp_path / "there")
    config = load_config(path)
    assert Path(config.streamer.bundle) == tmp_path / "here/../b"
    assert Path(config.streamer.journal) == tmp_path / "here/j"
    assert Path(config.security.server_secret_key) == tmp_path / "here/k/s"
    assert Path(config.security.authorized_keys) == tmp_path / "here/k"


def test_absolute_paths_stay(tmp_path):
    config = load_config(write(tmp_path, '[streamer]\nbundle = "/opt/b"\njournal = "/var/j"'))
    assert (config.streamer.bundle, config.streamer.journal) == ("/opt/b", "/var/j")


def test_a_tree_is_parsed_without_a_file(tmp_path):
    config = parse_config({"streamer": {"bundle": "b"}}, "somewhere", tmp_path)
    assert Path(config.streamer.bundle) == tmp_path / "b"
    with pytest.raises(InputError, match=r"^somewhere: streamer\.bundle"):
        parse_config({"streamer": {}}, "somewhere", tmp_path)


@pytest.mark.parametrize("field", ["cells", "decisions", "telemetry"])
@pytest.mark.parametrize(
    "endpoint", ["tcp://0.0.0.0:5701", "tcp://*:5701", "tcp://192.168.0.7:5701", "tcp://[::]:5701"]
)
def test_with_keys_endpoints_may_be_wider_than_this_machine(tmp_path, field, endpoint):
    text = f'[streamer]\nbundle = "b"\n{field} = "{endpoint}"\n'
    with pytest.raises(InputError, match=f"streamer.{field}: found .*CURVE"):
        load_config(write(tmp_path, text))
    keys = '[security]\nserver_secret_key = "s"\nauthorized_keys = "k"'
    assert getattr(load_config(write(tmp_path, text + keys)).streamer, field) == endpoint


@pytest.mark.parametrize(
    ("text", "name", "ladder"),
    [
        ('name = "torch"\nladder = "auto"', "torch", "auto"),
        ('name = ["tensorrt", "openvino"]\nladder = [1]', ("tensorrt", "openvino"), (1,)),
    ],
)
def test_engines_may_be_several_and_the_ladder_measured(tmp_path, text, name, ladder):
    path = tmp_path / "c.toml"
    path.write_text(f'[streamer]\nbundle = "b"\n[engine]\n{text}\npin = true\nfallback = true\nprecision = "fp16"\n')
    engine = load_config(path).engine
    assert (engine.name, engine.ladder) == (name, ladder)
    assert (engine.pin, engine.fallback, engine.precision) == (True, True, "fp16")
