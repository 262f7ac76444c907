"""A configuration that is wrong is refused in one line: file, field, what it says, what it may say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import InputError
from streamer.config import load_config

HEAD = '[streamer]\nbundle = "b"\n'
GATE = '[[gate]]\nname = "g"\nway = "left"\n'


def refusal(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        load_config(path)
    return caught.value


@pytest.mark.parametrize(
    ("text", "field", "found", "expected"),
    [
        ("", "streamer", "nothing", "a value"),
        ("[streamer]", "streamer.bundle", "nothing", "a value"),
        ("[streamer]\nbundle = 3", "streamer.bundle", "3", "str"),
        ("streamer = 3", "streamer", "3", "object"),
        (HEAD + "slot = 3", "streamer.slot", "an unknown key", "configuration.md"),
        (HEAD + "[surprise]", "surprise", "an unknown key", "configuration.md"),
        (HEAD + "slots = 63", "streamer.slots", "63", "64"),
        (HEAD + "slots = 1000001", "streamer.slots", "1000001", "1000000"),
        (HEAD + "slots = 2.5", "streamer.slots", "2.5", "int"),
        (HEAD + 'slots = "64"', "streamer.slots", "64", "int"),
        (HEAD + "slots = true", "streamer.slots", "True", "int"),
        (HEAD + f"slots = {2**70}", "streamer.slots", str(2**70), "1000000"),
        (HEAD + "slots = 2020-01-01", "streamer.slots", "2020", "int"),
        (HEAD + "heartbeat_s = 0", "streamer.heartbeat_s", "0", "> 0"),
        (HEAD + "heartbeat_s = nan", "streamer.heartbeat_s", "nan", "> 0"),
        (HEAD + "heartbeat_s = inf", "streamer.heartbeat_s", "inf", "3600"),
        (HEAD + "snapshot_s = -1", "streamer.snapshot_s", "-1", "> 0"),
        (HEAD + '[engine]\nprecision = "bf16"', "engine.precision", "bf16", "bf16"),
        (HEAD + "[engine]\nthreads = -1", "engine.threads", "-1", ">= 0"),
        (HEAD + "[engine]\nladder = []", "engine.ladder", "[]", "length >= 1"),
        (HEAD + "[engine]\nladder = [1, 0]", "engine.ladder[1]", "0", ">= 1"),
        (HEAD + "[engine]\nladder = 3", "engine.ladder", "3", "array"),
        (HEAD + "[engine]\nladder = [4097]", "engine.ladder[0]", "4097", "4096"),
        (HEAD + "[timing]\nsort_delay_us = -1", "timing.sort_delay_us", "-1", ">= 0"),
        (HEAD + "[timing]\nsort_delay_us = nan", "timing.sort_delay_us", "nan", ">= 0"),
        (HEAD + "[timing]\nactuation_lead_us = 1e9", "timing.actuation_lead_us", "1000000000.0", "60000000"),
        (HEAD + '[timing]\npublish_margin_us = "1"', "timing.publish_margin_us", "1", "float"),
        (HEAD + "[decision]\nmin_confidence = 1.5", "decision.min_confidence", "1.5", "<= 1"),
        (HEAD + "[decision]\nmin_confidence = nan", "decision.min_confidence", "nan", ">= 0"),
        (HEAD + "[decision]\narmed = 1", "decision.armed", "1", "bool"),
        (HEAD + "[journal]\nsync_s = 2", "journal.sync_s", "2", "<= 1"),
        (HEAD + '[journal]\non_fault = "panic"', "journal.on_fault", "panic", "panic"),
        (HEAD + '[security]\nserver_secret_key = "k"', "security.authorized_keys", "nothing", "public keys"),
        (HEAD + "gate = 3", "streamer.gate", "an unknown key", ""),
        ("gate = 3\n" + HEAD, "gate", "3", "array"),
        (HEAD + '[gate]\nname = "g"', "gate", "{'name': 'g'}", "array"),
        (HEAD + GATE, "gate[0].where", "nothing", "a value"),
        (HEAD + GATE + "where = {}", "gate[0].where", "{}", "length >= 1"),
        (HEAD + GATE + "where = { A = 3 }", "gate[0].where[...]", "3", "object"),
        (HEAD + GATE + "where = { A = { min = 2 } }", "gate g: where.A.min", "2", "<= 1"),
        (HEAD + GATE + "where = { A = { least = 0.5 } }", "gate[0].where[...].least", "an unknown key", ""),
        (HEAD + GATE + "where = { A = {} }", "gate g: where.A", "no bound", "min, max or both"),
        (
            HEAD + GATE + "where = { A = { min = 0.6, max = 0.4 } }",
            "gate g: where.A",
            "min 0.6 max 0.4",
            "min below max",
        ),
        (HEAD + GATE + "where = { A = { min = 0.5, max = 0.5 } }", "gate g: where.A", "min 0.5", "min below max"),
        (HEAD + 2 * (GATE + "where = { A = { min = 0.5 } }\n"), "gate.name", "g", "a name of its own"),
        (HEAD + '[[gate]]\nname = ""\nway = "left"\nwhere = { A = { min = 0.5 } }', "gate[0].name", "", "regex"),
        (HEAD + '[[gate]]\nname = "g\\n"\nway = "left"\nwhere = { A = { min = 0.5 } }', "gate[0].name", "g", "regex"),
        (HEAD + '[[gate]]\nname = "g"\nway = "../x"\nwhere = { A = { min = 0.5 } }', "gate[0].way", "../x", "regex"),
        (HEAD + 'cells = "tcp://127.0.0.1"', "streamer.cells", "tcp://127.0.0.1", "HOST:PORT"),
        (HEAD + 'cells = "tcp://127.0.0.1:70000"', "streamer.cells", "70000", "HOST:PORT"),
        (HEAD + 'cells = "tcp://127.0.0.1:0"', "streamer.cells", ":0", "HOST:PORT"),
        (HEAD + 'cells = "udp://127.0.0.1:5"', "streamer.cells", "udp", "ipc://PATH or"),
        (HEAD + 'cells = "ipc://"', "streamer.cells", "ipc://", "ipc://PATH"),
        (HEAD + 'decisions = ""', "streamer.decisions", "", "ipc://PATH"),
        (HEAD + 'telemetry = "inproc://x"', "streamer.telemetry", "inproc", "ipc://PATH"),
        (HEAD + 'cells = "tcp://0.0.0.0:5701"', "streamer.cells", "0.0.0.0", "CURVE"),
        (HEAD + 'cells = "tcp://*:5701"', "streamer.cells", "*", "CURVE"),
        (HEAD + 'decisions = "tcp://192.168.0.7:1"', "streamer.decisions", "192.168.0.7", "CURVE"),
        (HEAD + 'telemetry = "tcp://[::]:1"', "streamer.telemetry", "[::]", "CURVE"),
        (HEAD + 'telemetry = "tcp://example.org:1"', "streamer.telemetry", "example.org", "CURVE"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(tmp_path, text, field, found, expected):
    path = tmp_path / "c.toml"
    error = refusal(path, text)
    assert error.field == field
    assert found in error.found
    assert expected in error.expected
    assert error.source == str(path), "the line must name the file"
    assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"this is not TOML", "TOML"),
        (b"[streamer", "TOML"),
        (b"a = 1\na = 2", "TOML"),
        (b'[streamer]\nbundle = "\xff\xfe"', "TOML"),
        (b"\x00" * 100, "TOML"),
        (b"a = " + b"[" * 5000, "TOML"),
        (b"a = " + b"{b = " * 5000, "TOML"),
        (b"a = " + b"1" * 5000, "TOML"),
        (b"#" * ((1 << 20) + 1), "size"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_a_file_that_is_no_toml_is_refused(tmp_path, raw, field):
    error = refusal(tmp_path / "c.toml", raw)
    assert error.field == field
    assert error.source == str(tmp_path / "c.toml")
    assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize("key", ['"a\\nb" = 1', '"" = 1', '"\\u0085" = 1', '"`$.x`" = 1'])
def test_a_strange_key_is_an_unknown_key_in_one_line(tmp_path, key):
    error = refusal(tmp_path / "c.toml", HEAD + key)
    assert error.found == "an unknown key"
    assert len(str(error).splitlines()) == 1


def test_a_strange_dimension_is_named_in_one_line(tmp_path):
    error = refusal(tmp_path / "c.toml", HEAD + GATE + 'where = { "a\\nb" = {} }')
    assert len(str(error).splitlines()) == 1


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        load_config(tmp_path / "nothing.toml")
    with pytest.raises(InputError, match="directory"):
        load_config(tmp_path)


CHECKED = settings(derandomize=True, deadline=None, max_examples=300)


def never_anything_else(path, raw):
    path.write_bytes(raw)
    try:
        load_config(path)
    except InputError as error:
        assert len(str(error).splitlines()) == 1


@CHECKED
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))))
def test_random_bytes_are_only_ever_an_input_error(tmp_path_factory, raw):
    never_anything_else(tmp_path_factory.getbasetemp() / "random.toml", raw)


SCALAR = st.one_of(
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(),
    st.sampled_from(['"x"', '"tcp://127.0.0.1:5"', "[]", "[1]", "{}", "{a = 1}", "{A = {min = 0.1}}", "1979-05-27"]),
).map(lambda value: str(value).lower() if isinstance(value, bool | float) else str(value))
LINE = st.one_of(
    st.sampled_from(["[streamer]", "[engine]", "[timing]", "[decision]", "[journal]", "[security]", "[[gate]]"]),
    st.builds(
        "{} = {}".format,
        st.sampled_from(
            [
                "bundle",
                "cells",
                "slots",
                "heartbeat_s",
                "ladder",
                "threads",
                "sort_delay_us",
                "armed",
                "name",
                "way",
                "where",
                "on_fault",
                "x",
            ]
        ),
        SCALAR,
    ),
)


@CHECKED
@given(st.lists(LINE, max_size=12))
def test_random_toml_is_only_ever_an_input_error(tmp_path_factory, lines):
    never_anything_else(tmp_path_factory.getbasetemp() / "random.toml", "\n".join(lines).encode())
