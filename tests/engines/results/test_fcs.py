"""FCS 3.1 as the standard says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.results import About, Chunk, Column, Head, Results, write_results
from engines.results._fcs import HEADER_LIMIT, _header
from engines.results._fcs_plan import join, split
from tests.support.tables import sample


def read_by_hand(path):
    """Return header offsets, keywords and events, by nothing but the standard's words."""
    raw = path.read_bytes()
    assert raw[:10] == b"FCS3.1    "
    offsets = [int(raw[at : at + 8]) for at in range(10, 58, 8)]
    text = raw[offsets[0] : offsets[1] + 1].decode()
    words = text[1:-1].split(text[0])
    keywords = dict(zip(words[::2], words[1::2], strict=True))
    assert len(keywords) == len(words) // 2
    begin, end = int(keywords["$BEGINDATA"]), int(keywords["$ENDDATA"])
    rows, channels = int(keywords["$TOT"]), int(keywords["$PAR"])
    assert end - begin + 1 == 4 * rows * channels
    events = np.frombuffer(raw[begin : end + 1], "<f4").reshape(rows, channels)
    return offsets, keywords, events


@pytest.fixture
def written(tmp_path):
    write_results(sample(300, embedding=2), tmp_path / "r.fcs")
    return read_by_hand(tmp_path / "r.fcs")


def test_header_and_text_agree(written):
    offsets, keywords, _ = written
    assert offsets[2:] == [int(keywords["$BEGINDATA"]), int(keywords["$ENDDATA"]), 0, 0]
    assert offsets[1] < offsets[2]


def test_required_keywords(written):
    _, keywords, events = written
    assert {
        keywords[f"${name}"] for name in ("BEGINANALYSIS", "ENDANALYSIS", "BEGINSTEXT", "ENDSTEXT", "NEXTDATA")
    } == {"0"}
    assert (keywords["$BYTEORD"], keywords["$DATATYPE"], keywords["$MODE"]) == ("1,2,3,4", "F", "L")
    names = [keywords[f"$P{n}N"] for n in range(1, events.shape[1] + 1)]
    assert len({name.casefold() for name in names}) == len(names)
    assert not any("," in name for name in names)
    for n in range(1, events.shape[1] + 1):
        assert (keywords[f"$P{n}B"], keywords[f"$P{n}E"]) == ("32", "0,0")
        assert int(keywords[f"$P{n}R"]) >= 1
        assert np.nanmax(events[:, n - 1]) <= int(keywords[f"$P{n}R"])
    assert all(words and words.isprintable() for pair in keywords.items() for words in pair)


def test_times_and_losses(written):
    _, keywords, _ = written
    assert (keywords["$DATE"], keywords["$BTIM"], keywords["$ETIM"]) == ("14-NOV-2023", "22:13:20.12", "22:15:00.00")
    assert keywords["$ABRT"] == "6"  # coincident and hardware_abort
    assert keywords["$LOST"] == "12"  # missing, late and overload, but not uncertain
    assert keywords["$OP"] == "AB"
    assert keywords["$CYT"] == "µ-sorter $5"


def test_an_offline_run_claims_no_losses(tmp_path):
    chunk = Chunk({"a": np.zeros(2, np.float32)})
    head = Head(columns=(Column("a", "float32"),), about=About(totals={"skipped": 4}))
    write_results(Results(head, lambda: iter([chunk])), tmp_path / "r.fcs")
    assert not {"$ABRT", "$LOST", "$DATE"} & read_by_hand(tmp_path / "r.fcs")[1].keys()


def test_an_integer_is_split_only_where_it_must_be(written):
    _, keywords, events = written
    names = [keywords[f"$P{n}N"] for n in range(1, events.shape[1] + 1)]
    assert names[:3] == ["Time", "seq", "seq*2^24"]
    assert keywords["CELLGATE_LEFT_OUT"] == "note"
    assert events[:, 1].max() == 2**24 - 1


def test_time_counts_whole_steps(written):
    _, keywords, events = written
    assert float(keywords["$TIMESTEP"]) == 1e-3  # 4,000 s in at most 2^24 counts
    assert np.array_equal(events[:, 0], np.rint(events[:, 0]))
    assert np.abs(events[:, 0]).max() <= 2**24


@pytest.mark.parametrize(("end", "stated"), [(HEADER_LIMIT, "99999999"), (HEADER_LIMIT + 1, "0")])
def test_data_beyond_eight_digits_is_zero_in_the_header(end, stated):
    header = _header(100, 500, end)
    assert len(header) == 58
    assert header[34:42].decode().strip() == stated
    assert (header[26:34].decode().strip() == "0") == (stated == "0")


@pytest.mark.slow
def test_a_file_beyond_eight_digits(tmp_path):
    flowio = pytest.importorskip("flowio")
    columns = tuple(Column(f"c{i}", "float32") for i in range(50))
    chunk = Chunk({column.name: np.full(100_000, 7, np.float32) for column in columns})
    write_results(Results(Head(columns=columns), lambda: iter([chunk] * 6)), tmp_path / "r.fcs")
    found = flowio.FlowData(str(tmp_path / "r.fcs"), only_text=True)
    assert (found.event_count, found.header["data_start"]) == (600_000, 0)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.integers(3, 4))
def test_limbs_are_exact_in_float32(values, limbs):
    whole = np.array(values, np.int64)
    parts = [part.astype(np.float32) for part in split(whole, limbs)]
    assert np.array_equal(join(parts, whole.dtype), whole)


def test_columns_that_differ_in_capitals_keep_their_labels(tmp_path):
    columns = (Column("class", "code", labels=("a",)), Column("Class", "code", labels=("b",)))
    chunk = Chunk({column.name: np.zeros(3, np.int32) for column in columns})
    write_results(Results(Head(columns=columns), lambda: iter([chunk])), tmp_path / "r.fcs")
    _, keywords, _ = read_by_hand(tmp_path / "r.fcs")
    labels = {value for key, value in keywords.items() if key.startswith("CELLGATE_CODES_")}
    assert labels == {'["a"]', '["b"]'}
