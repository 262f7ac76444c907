"""Files of results: whole or not there, nothing taken for granted that a file says."""

import json
import os
import sys

import numpy as np
import pytest

from engines.errors import InputError, MissingExtraError
from engines.results import (
    ENDINGS,
    Chunk,
    Column,
    Head,
    Results,
    is_results,
    merged_labels,
    read_results,
    write_results,
)
from tests.support.tables import sample, values_of


def need(ending):
    pytest.importorskip({".parquet": "pyarrow", ".h5ad": "h5py"}.get(ending, "numpy"))


def breaking(after):
    """Return a table whose rows cannot be read on after so many chunks."""
    table = sample(1000, chunk=100)

    def chunks():
        for number, chunk in enumerate(table.chunks()):
            if number == after:
                raise InputError("cells", "rows", "damage", "whole rows")
            yield chunk

    return Results(table.head, chunks)


@pytest.mark.parametrize("ending", ENDINGS)
def test_half_a_file_is_no_file(tmp_path, ending):
    need(ending)
    path = tmp_path / f"r{ending}"
    write_results(sample(10), path)
    before = path.read_bytes()
    with pytest.raises(InputError, match="damage"):
        write_results(breaking(after=5), path)
    assert path.read_bytes() == before
    assert not [left for left in tmp_path.iterdir() if left.suffix == ".part"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_cut_short_is_refused(tmp_path, ending):
    need(ending)
    path = tmp_path / f"r{ending}"
    write_results(sample(1000, embedding=3), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3] + b'\r\n"')
    with pytest.raises(InputError) as error:
        values_of(read_results(path))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_flipped_byte_brings_anything_but_a_clear_error(tmp_path, ending):
    need(ending)
    path = tmp_path / f"r{ending}"
    write_results(sample(30, embedding=2), path)
    whole, rng = path.read_bytes(), np.random.default_rng(5)
    for _ in range(40):
        bad = bytearray(whole)
        bad[rng.integers(len(bad))] ^= 1 << rng.integers(8)
        path.write_bytes(bad)
        try:
            values_of(read_results(path))
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.fcs", b"FCS3.1    "),
        ("r.parquet", b"PAR1"),
        ("r.h5ad", b"\x89HDF\r\n\x1a\n"),
        ("r.csv", b"a,b\r\n"),
        ("r", b""),
    ],
)
def test_others_files_are_refused_in_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError):
        read_results(tmp_path / name)


def test_an_fcs_file_of_another_program_is_refused(tmp_path):
    flowio = pytest.importorskip("flowio")
    with (tmp_path / "r.fcs").open("wb") as file:
        flowio.create_fcs(file, [1.0, 2.0], ["a", "b"])
    with pytest.raises(InputError, match="CELLGATE_HEAD"):
        read_results(tmp_path / "r.fcs")


def test_an_ending_that_is_none_of_ours(tmp_path):
    with pytest.raises(InputError, match=r"ending: found \.txt"):
        write_results(sample(1), tmp_path / "r.txt")


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        write_results(sample(1), tmp_path / "no" / "r.fcs")


@pytest.mark.parametrize(("ending", "library"), [(".parquet", "pyarrow"), (".h5ad", "h5py")])
def test_a_missing_library_names_its_extra(tmp_path, monkeypatch, ending, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=r"cellgate\[results\]"):
        write_results(sample(1), tmp_path / f"r{ending}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "columns",
    [
        (),
        (Column("a", "bool"), Column("a", "bool")),
        (Column("", "bool"),),
        (Column("a", "code", labels=("x", "x")),),
        (Column("a", "code", labels=("",)),),
    ],
)
def test_columns_that_cannot_be(tmp_path, columns):
    with pytest.raises(InputError):
        write_results(Results(Head(columns=columns), lambda: iter([])), tmp_path / "r.csv")


def test_a_table_is_known_by_its_content(tmp_path):
    write_results(sample(5), tmp_path / "r.fcs")
    (tmp_path / "r.fcs").rename(tmp_path / "r.dat")
    assert is_results(tmp_path / "r.dat")
    np.savez(tmp_path / "cells.npz", frames=np.zeros((1, 1, 2, 2), np.uint8))
    assert not is_results(tmp_path / "cells.npz")
    assert not is_results(tmp_path)


def test_memory_stays_flat(tmp_path):
    """A table of ten times the rows takes no more memory to write, since only a chunk is there at a time."""
    import tracemalloc

    columns = tuple(Column(f"c{i}", "float32") for i in range(64))
    chunk = Chunk({column.name: np.zeros(4096, np.float32) for column in columns})

    def peak(chunks):
        tracemalloc.start()
        write_results(Results(Head(columns=columns), lambda: iter([chunk] * chunks)), tmp_path / "r.fcs")
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(40) < 1.2 * peak(4)


def test_the_csv_needs_the_json_beside_it(tmp_path):
    write_results(sample(5), tmp_path / "r.csv")
    head = json.loads((tmp_path / "r.csv.json").read_text())
    assert head["about"]["bundle"] == "leukocytes"
    (tmp_path / "r.csv.json").unlink()
    with pytest.raises(InputError, match=r"r\.csv\.json"):
        read_results(tmp_path / "r.csv")


def test_labels_that_repeat_share_a_code():
    labels, codes = merged_labels(["a", "", "a", "b"])
    assert labels == ("a", "code 1", "b")
    assert codes.tolist() == [0, 1, 0, 2]


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "r.fcs"
    path.write_bytes(b"FCS3.1")

    def refused(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refused)
    with pytest.raises(InputError, match="Permission denied"):
        is_results(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_path_that_is_not_utf8(tmp_path, ending):
    need(ending)
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    write_results(sample(10), folder / f"r{ending}")
    assert is_results(folder / f"r{ending}")
    assert len(values_of(read_results(folder / f"r{ending}"))["seq"]) == 10
