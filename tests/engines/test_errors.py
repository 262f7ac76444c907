"""Errors for users: one line that names the place, what is there and what should be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import BundleError, CellgateError, CellsError, EngineError, InputError, MissingExtraError


def test_an_input_error_names_source_field_found_and_expected():
    error = InputError("config.toml", "streamer.slots", 3, "64 or more")
    assert str(error) == "config.toml: streamer.slots: found 3, expected 64 or more"
    assert (error.source, error.field, error.found, error.expected) == (
        "config.toml",
        "streamer.slots",
        "3",
        "64 or more",
    )


@pytest.mark.parametrize("kind", [InputError, BundleError, CellsError, EngineError, MissingExtraError])
def test_every_error_is_a_cellgate_error(kind):
    assert issubclass(kind, CellgateError)


def test_a_long_value_is_shortened():
    text = str(InputError("file", "field", "x" * 10_000, "less"))
    assert len(text) < 200
    assert "…" in text


def test_a_missing_extra_says_what_to_install():
    assert "pip install 'cellgate[train]'" in str(MissingExtraError("training", "train"))


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.text(max_size=30), st.text(max_size=30), st.one_of(st.text(max_size=300), st.binary()), st.text(max_size=30))
def test_whatever_a_file_says_the_error_is_one_line(source, field, found, expected):
    assert len(str(InputError(source, field, found, expected)).splitlines()) == 1
