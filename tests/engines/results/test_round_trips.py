"""What is written is what is read back, by our readers and by the field's own."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.errors import InputError
from engines.results import ENDINGS, About, Chunk, Column, Head, Results, is_results, read_results, write_results
from tests.support.tables import ABOUT, assert_same, sample, values_of

LIBRARIES = {".parquet": "pyarrow", ".h5ad": "h5py"}
FLOATS = st.floats(allow_nan=True, width=32)
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)


def need(ending):
    if ending in LIBRARIES:
        pytest.importorskip(LIBRARIES[ending])


@pytest.mark.parametrize("embedding", [0, 3])
@pytest.mark.parametrize("ending", ENDINGS)
def test_every_column_comes_back(tmp_path, ending, embedding):
    need(ending)
    table = sample(1000, chunk=300, embedding=embedding)
    path = tmp_path / f"r{ending}"
    assert write_results(table, path) == 1000
    assert is_results(path)
    back = read_results(path)
    assert back.head.about == table.head.about
    assert_same(table, back, rounded=ending == ".fcs", without_text=ending == ".fcs")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_table_without_rows(tmp_path, ending):
    need(ending)
    path = tmp_path / f"r{ending}"
    assert write_results(sample(0), path) == 0
    assert sum(len(chunk) for chunk in read_results(path).chunks()) == 0


@pytest.mark.parametrize("first", ENDINGS)
@pytest.mark.parametrize("second", ENDINGS)
def test_from_one_format_to_another(tmp_path, first, second):
    need(first), need(second)
    table = sample(50, embedding=2)
    write_results(table, tmp_path / f"a{first}")
    write_results(read_results(tmp_path / f"a{first}"), tmp_path / f"b{second}")
    plain = ".fcs" in (first, second)
    assert_same(table, read_results(tmp_path / f"b{second}"), rounded=plain, without_text=plain)


@pytest.mark.parametrize("ending", ENDINGS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_values(tmp_path, ending, data):
    need(ending)
    n = data.draw(st.integers(1, 5))
    many = {
        "u": data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=n, max_size=n)),
        "i": data.draw(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=n, max_size=n)),
        "f": data.draw(st.lists(FLOATS, min_size=n, max_size=n)),
        "d": data.draw(st.lists(st.floats(), min_size=n, max_size=n)),
        "t": data.draw(st.lists(TEXTS, min_size=n, max_size=n)),
    }
    labels = tuple(data.draw(st.lists(TEXTS.filter(bool), min_size=1, max_size=4, unique=True)))
    many["c"] = data.draw(st.lists(st.integers(-1, len(labels) - 1), min_size=n, max_size=n))
    kinds = {"u": "uint64", "i": "int64", "f": "float32", "d": "float64", "t": "text", "c": "code"}
    columns = tuple(Column(name, kinds[name], labels=labels if name == "c" else ()) for name in many)
    chunk = Chunk({column.name: np.array(many[column.name], column.numpy) for column in columns})
    table = Results(Head(columns=columns, about=About(cells=data.draw(TEXTS))), lambda: iter([chunk]))
    path = tmp_path / f"r{ending}"
    write_results(table, path)
    with np.errstate(over="ignore"):
        assert_same(table, read_results(path), rounded=ending == ".fcs", without_text=ending == ".fcs")


def test_flowio_reads_the_same_values(tmp_path):
    flowio = pytest.importorskip("flowio")
    table = sample(400, chunk=150, embedding=3)
    write_results(table, tmp_path / "r.fcs")
    found = flowio.FlowData(str(tmp_path / "r.fcs"))
    values = dict(zip(found.pnn_labels, found.as_array(preprocess=False).T, strict=True))
    known = values_of(table)
    assert found.event_count == 400
    assert np.array_equal(values["p(A)"], known["p(A)"].astype(np.float64), equal_nan=True)
    assert np.array_equal(values["class"], known["class"])
    assert np.array_equal(values["seq"] + 2.0**24 * values["seq*2^24"], known["seq"])
    assert np.array_equal(values["embedding_2"].astype(np.float32), known["embedding"][:, 2])
    time_s = known["arrival_ns"] * 1e-9
    step = float(found.text["timestep"])
    assert np.abs(values["Time"] * step - time_s).max() <= step / 2 * (1 + 1e-9)
    assert found.text["cellgate_codes_class"] == '["A","B, too","=C"]'


def test_arrow_reads_the_same_values(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = sample(400, chunk=150, embedding=3)
    write_results(table, tmp_path / "r.parquet")
    found = parquet.read_table(tmp_path / "r.parquet")
    known = values_of(table)
    assert found.schema.field("seq").type == pyarrow.uint64()
    assert pyarrow.types.is_dictionary(found.schema.field("class").type)
    assert found.schema.field("X_cellgate").type == pyarrow.list_(pyarrow.float32(), 3)
    assert np.array_equal(found["seq"].to_numpy(), known["seq"])
    assert np.array_equal(found["p(A)"].to_numpy(), known["p(A)"], equal_nan=True)
    labels = [*table.head.columns[4].labels, None]
    assert found["class"].to_pylist() == [labels[code] for code in known["class"]]
    assert np.array_equal(np.array(found["X_cellgate"].to_pylist(), np.float32), known["embedding"])


def test_parquet_is_written_without_pandas():
    """`pyarrow.array` would load it, where there is one: a quarter of a second, and 50 MB."""
    pytest.importorskip("pyarrow")
    code = """if True:
        import sys, tempfile
        from pathlib import Path
        from engines.results import write_results
        from tests.support.tables import sample
        with tempfile.TemporaryDirectory() as folder:
            write_results(sample(30, embedding=2), Path(folder) / "r.parquet")
        sys.exit("pandas" in sys.modules)
    """
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_texts_that_arrow_cannot_count_are_refused(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr("engines.results._arrow_arrays._MOST_BYTES", 100)
    with pytest.raises(InputError, match="note"):
        write_results(sample(100), tmp_path / "r.parquet")
    assert not list(tmp_path.iterdir())


def test_anndata_reads_the_same_values(tmp_path):
    pytest.importorskip("h5py")
    anndata = pytest.importorskip("anndata")
    table = sample(400, chunk=150, embedding=3)
    write_results(table, tmp_path / "r.h5ad")
    found = anndata.read_h5ad(tmp_path / "r.h5ad")
    known = values_of(table)
    assert found.shape == (400, 2)
    assert list(found.var_names) == ["BF:mean", "BF/area"]
    assert np.array_equal(found.X[:, 0], known["BF:mean"])
    assert list(found.obs_names) == [str(seq) for seq in known["seq"]]
    assert np.array_equal(found.obs["p(A)"], known["p(A)"], equal_nan=True)
    assert np.array_equal(found.obs["class"].cat.codes, known["class"])
    assert list(found.obs["note"]) == list(known["note"])
    assert found.obs["ok"].dtype == bool
    assert np.array_equal(found.obsm["X_cellgate"], known["embedding"])
    assert found.uns["cellgate"]["bundle"] == ABOUT.bundle
    assert found.uns["cellgate"]["totals"]["missing"] == 7
    found.write_h5ad(tmp_path / "again.h5ad")
    assert anndata.read_h5ad(tmp_path / "r.h5ad", backed="r").shape == (400, 2)


def test_a_plain_csv_reader_reads_the_same_values(tmp_path):
    table = sample(400, chunk=150, embedding=3)
    write_results(table, tmp_path / "r.csv")
    raw = (tmp_path / "r.csv").read_bytes()
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    known = values_of(table)
    assert raw.count(b"\r\n") == raw.count(b"\n")
    assert [int(row["seq"]) for row in rows] == known["seq"].tolist()
    found = np.array([float(row["p(A)"] or "nan") for row in rows]).astype(np.float32)
    assert np.array_equal(found, known["p(A)"], equal_nan=True)
    assert {row["class"] for row in rows} == {"A", "B, too", "'=C", ""}


def test_no_spreadsheet_takes_text_for_a_formula(tmp_path):
    texts = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'quoted", "plain", ""]
    columns = (Column("=name", "text"), Column("n", "int64"))
    chunk = Chunk({"=name": np.array(texts, object), "n": -np.arange(len(texts))})
    table = Results(Head(columns=columns), lambda: iter([chunk]))
    write_results(table, tmp_path / "r.csv")
    with (tmp_path / "r.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    assert not any(text.startswith(("=", "+", "-", "@", "\t", "\r")) for text in [head[0], *(row[0] for row in rows)])
    assert_same(table, read_results(tmp_path / "r.csv"))


def test_names_that_would_collide_stay_apart(tmp_path):
    columns = tuple(Column(name, "float32") for name in ("a,b", "A.B", "a/b", "a|b", "Time", "_index"))
    chunk = Chunk({column.name: np.full(2, number, np.float32) for number, column in enumerate(columns)})
    table = Results(Head(columns=columns), lambda: iter([chunk]))
    for ending in ENDINGS:
        need(ending)
        write_results(table, tmp_path / f"r{ending}")
        assert_same(table, read_results(tmp_path / f"r{ending}"))
    text = Path(tmp_path / "r.fcs").read_bytes().decode("latin-1")
    assert "$P1N\x0ca.b\x0c" in text and "$P2N\x0cA.B_2\x0c" in text
