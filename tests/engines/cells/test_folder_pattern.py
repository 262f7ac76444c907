"""What a name says, and which patterns a user may give."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.cells.folder._pattern import Named, common_namer, given_namer, stem, steps
from engines.errors import InputError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tif", "a"),
        ("a.ome.tif", "a"),
        ("a.b.png", "a.b"),
        ("1.5_Ch1.ome.tiff", "1.5_Ch1"),
        ("a", "a"),
        (".png", ".png"),
    ],
)
def test_a_stem_is_the_name_without_its_ending(name, expected):
    assert stem(name) == expected


def test_names_that_only_look_like_channels_are_cells():
    names = ["cell_a.png", "cell_b.png", "batch-one.png"]
    assert common_namer(names)("cell_a.png") == Named("cell_a")
    assert common_namer([])("x.png") == Named("x")


def test_most_names_decide():
    name_of = common_namer(["1_Ch1.tif", "1_Ch2.tif", "2_Ch1.tif", "overview.tif"])
    assert name_of("x_y_Ch9.ome.tif") == Named("x_y", "Ch9")
    assert name_of("overview.tif") is None


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?P<cell>.+)",
        r"(?P<cell>\d+)_(?P<channel>Ch\d+)",
        r"(?P<group>[^_]+)_(?P<cell>\d+)-(?P<channel>.+)",
        r"(?P<class>(?i:un)?(?i:ciliated))_(?P<cell>\d+)_(?P<channel>Ch\d{1,2})",
        r"(?P<cell>[a-z]{1,8}_\d{1,9})(?:_(?P<channel>bf|df))?",
        r"(?P<cell>[\])(*+]+)x",
    ],
)
def test_patterns_as_people_write_them_are_taken(pattern):
    given_namer(pattern, "test")


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?P<cell>(a+)+)b",
        r"(?P<cell>(a|aa)+)b",
        r"(?P<cell>(?:a*)*)b",
        r"(?P<cell>([a-z]+)*)_x",
        r"(?P<cell>(?:\w+\s?){1,60})x",
        r"(?P<cell>.*.*.*.*.*)x",
        r"(?P<cell>(.+){9})x",
        "(?P<cell>" + "a?" * 30 + "a" * 30 + ")",
    ],
)
def test_patterns_that_could_take_forever_are_refused(pattern):
    with pytest.raises(InputError, match="variable length"):
        given_namer(pattern, "test")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("(", "missing"),
        ("(?P<cell>", "missing"),
        (r"\d+", "no named group"),
        (r"(?P<cell>\d+)(?P<colour>.)", "cell, colour"),
        ("x" * 301, "xxx"),
        ("(?P<cell>x)" + "(" * 200, "missing"),
    ],
)
def test_what_is_no_pattern_is_named(pattern, found):
    with pytest.raises(InputError) as caught:
        given_namer(pattern, "test")
    assert caught.value.field == "pattern"
    assert found in caught.value.found


ATOMS = st.sampled_from(["a", "b", ".", r"\w", "[ab]", "(?:a)"])
QUANTIFIERS = st.sampled_from(["", "+", "*", "?", "{1,3}", "{2}", "+?", "*?"])


def pieces(inner):
    return st.one_of(
        st.lists(st.tuples(ATOMS, QUANTIFIERS).map("".join), min_size=1, max_size=4).map("".join),
        st.tuples(inner, QUANTIFIERS).map(lambda p: f"(?:{p[0]}){p[1]}"),
        st.tuples(inner, inner).map(lambda p: f"(?:{p[0]}|{p[1]})"),
        st.tuples(inner, inner).map("".join),
    )


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.recursive(ATOMS, pieces, max_leaves=6))
def test_a_pattern_that_is_taken_comes_to_an_end(pattern):
    """A name that almost fits is the worst case; one that is exponential on it would outlast the test's time limit."""
    if steps(pattern) > 2**18:
        return
    assert re.compile(f"(?:{pattern})c").fullmatch("a" * 200) is None
