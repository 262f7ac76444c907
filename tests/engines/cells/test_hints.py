"""Hints: what is typed becomes what a reader takes, and nothing else gets through."""

import importlib
import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.cells import READERS, bare_hint, open_recording, parse_hints, skipped_lines
from engines.errors import CellgateError, InputError

# Every hint of every reader: as typed, and as the reader gets it.
HINTS = {
    "kind": ("kind=montage", "montage"),
    "groups": ("groups=12", "12"),
    "levels": ("levels=group/class", "group/class"),
    "pattern": (r"pattern=(?P<cell>\d+)=(?P<channel>[a-z]+)", r"(?P<cell>\d+)=(?P<channel>[a-z]+)"),
    "channels": ("channels=image, mask", ("image", "mask")),
    "features": ("features=area_um", ("area_um",)),
    "dataset": ("dataset=1", "1"),
    "table": ("table=gates.csv", "gates.csv"),
    "tile": ("tile=66", 66),
    "gap": ("gap=2", 2),
    "order": ("order=columns", "columns"),
    "tiles_per_cell": ("tiles_per_cell=3", 3),
    "pages": ("pages=cells", "cells"),
}


def test_every_hint_of_every_reader_is_known():
    openers = [getattr(importlib.import_module(reader.module), reader.open) for reader in READERS]
    names = {name for opener in openers for name in list(inspect.signature(opener).parameters)[1:]}
    assert names | {"kind"} == set(HINTS)


@pytest.mark.parametrize("name", HINTS)
def test_what_is_typed_becomes_what_the_reader_takes(name):
    text, value = HINTS[name]
    assert parse_hints([text]) == {name: value}


def test_several_hints_and_none():
    assert parse_hints(None) == parse_hints([]) == {}
    assert parse_hints(["tile=66x55", "levels=", " gap = 1 "]) == {"tile": (66, 55), "levels": "", "gap": 1}
    assert parse_hints(["a=1", "b=1.5", "c=x"]) == {"a": 1, "b": 1.5, "c": "x"}


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["tile"], "--hint: hint: found tile, expected NAME=VALUE"),
        ([""], "expected NAME=VALUE"),
        (["=3"], "found =3, expected NAME=VALUE"),
        (["tile=3", "tile=4"], "tile: found 4, expected one value"),
        (["tile=big"], "tile: found big"),
        (["tile=1e3"], "tile: found 1e3"),
        (["tile=-3"], "tile: found -3"),
        (["gap=1.5"], "gap: found 1.5, expected a whole number"),
        (["tiles_per_cell=nan"], "found nan, expected a whole number"),
        (["channels="], "channels: found , expected names"),
        (["channels=a,,b"], "found a,,b, expected names"),
    ],
)
def test_what_cannot_be_a_hint_is_one_line(texts, words):
    with pytest.raises(InputError) as caught:
        parse_hints(texts)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@given(st.lists(st.sampled_from([text.partition("=")[0] for text, _ in HINTS.values()]), max_size=3), st.text())
def test_no_text_raises_anything_else(names, value):
    try:
        hints = parse_hints([f"{name}={value}" for name in names])
    except InputError:
        return
    assert set(hints) == set(names)


@pytest.mark.parametrize("reader", [reader.kind for reader in READERS])
def test_a_hint_to_the_wrong_reader_is_an_error_and_no_accident(tmp_path, reader):
    np.savez(tmp_path / "c.npz", frames=np.zeros((2, 1, 4, 4), np.uint8), channels=np.array(["a"]))
    for name in ("nonsense", "path", *(name for name in HINTS if name != "kind")):
        with pytest.raises(CellgateError):
            open_recording(tmp_path / "c.npz", **parse_hints([f"kind={reader}", f"{name}=1"])).close()


def test_reports_do_not_tell_where_a_table_lies():
    assert bare_hint("table=/somewhere/of/mine/gates.csv") == "table=gates.csv"
    assert bare_hint("levels=group/class") == "levels=group/class"


def test_what_was_skipped_in_lines():
    assert skipped_lines({}) == []
    assert skipped_lines({"rare": 1, "of\x1b[31m\ncolour": 5}) == ["skipped 5: of [31m colour", "skipped 1: rare"]
    lines = skipped_lines({f"reason {n}": 2 for n in range(25)})
    assert len(lines) == 21
    assert lines[-1] == "skipped 10: 5 more reasons"
