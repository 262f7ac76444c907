"""A bundle over a recording: every cell answered for, whatever state the recording is in."""

import gc
import weakref

import numpy as np
import pytest

from engines.backends import open_engine
from engines.cells import Span
from engines.errors import EngineError, InputError
from engines.fit import fit_frames
from engines.offline import Parts, RunInfo, accuracy_of, blocks_of, channels_of, classified, classify, table_of
from engines.offline._ahead import ahead
from engines.results import About
from tests.support.engines import ScriptedEngine
from tests.support.recordings import Fake, toy_recording
from tests.support.tables import values_of
from tests.support.toy import LEVELS, toy_frames

RUN = {"cells": "fake", "cells_sha256": "1", "bundle_sha256": "2", "engine": "toy", "channels": (0, 1)}


def run(recording, engine, folder, *, embedding=False, resume=False, batch=8):
    """Classify into `folder` and return the parts."""
    parts = Parts(folder, RunInfo(**RUN, embedding=embedding), resume=resume)
    classify(recording, engine, parts, picked=channels_of(recording, engine.bundle), batch=batch)
    return parts


def table(recording, engine, folder, **options):
    parts = run(recording, engine, folder, **options)
    return table_of(parts, recording, engine.bundle, embedding=options.get("embedding", False), about=About())


def test_each_cell_gets_the_engines_answer(toy_engine, tmp_path):
    recording = toy_recording(700)
    results = table(recording, toy_engine, tmp_path / "p", embedding=True)
    found = values_of(results)
    assert found["index"].tolist() == list(range(700))
    assert found["class"].tolist() == found["label"].tolist() == [i % 3 for i in range(700)]
    levels = np.array(LEVELS)[np.arange(700) % 3]
    assert np.array_equal(found["brightfield:mean"], levels)
    assert np.array_equal(found["embedding"], np.stack([levels, levels], axis=1))
    assert found["p(dim)"][::3].min() > 0.99
    assert str(accuracy_of(results)) == "accuracy 1.0000 of 700 labelled cells"


def test_no_column_for_what_is_not_known(toy_engine, tmp_path):
    names = [c.name for c in table(toy_recording(9, labels=None), toy_engine, tmp_path / "p").head.columns]
    assert names == ["index", "class", "p(dim)", "p(bright)", "p(blinding)", "brightfield:mean", "darkfield:mean"]


def test_damaged_cells_are_counted_and_the_others_keep_their_places(toy_engine, tmp_path):
    recording = toy_recording(600, damaged=[0, 5, 511, 512, 513, 599])
    parts = run(recording, toy_engine, tmp_path / "p")
    found = values_of(table_of(parts, recording, toy_engine.bundle, embedding=False, about=About()))
    assert parts.skipped == {"frame: damage": 6} and parts.end == 600
    assert found["index"].tolist() == [i for i in range(600) if i not in recording.damaged]
    assert np.array_equal(found["class"], found["index"] % 3)


def test_a_frame_that_is_not_what_the_recording_says_is_skipped(toy_engine, tmp_path):
    recording = toy_recording(6)
    recording.frames[1] = recording.frames[1].astype(np.uint8)
    recording.frames[2] = recording.frames[2][:1]
    recording.frames[4] = recording.frames[4][:, :0]
    parts = run(recording, toy_engine, tmp_path / "p")
    assert parts.rows == 3 and parts.skipped.total() == 3
    found = values_of(table_of(parts, recording, toy_engine.bundle, embedding=False, about=About()))
    assert found["index"].tolist() == [0, 3, 5]


def test_nothing_but_damage(toy_engine, tmp_path):
    recording = toy_recording(20, damaged=range(20))
    results = table(recording, toy_engine, tmp_path / "p")
    assert list(results.chunks()) == []
    assert accuracy_of(results) is None


def test_cells_of_other_sizes_are_fitted(toy_engine, tmp_path):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 3000, (2, h, w)).astype(np.uint16) for h, w in ((8, 8), (5, 12), (20, 3), (9, 9))]
    found = values_of(table(Fake(frames), toy_engine, tmp_path / "p"))
    expected = [fit_frames(frame[None], 8, 8, "crop-pad")[0].mean(axis=(1, 2)) for frame in frames]
    assert np.allclose(np.stack([found["brightfield:mean"], found["darkfield:mean"]], axis=1), expected)


def test_what_the_file_says_of_a_cell_comes_along(toy_engine, tmp_path):
    facts = [{"object": 10 + i, "area": i / 4, "note": "=x" if i else "", "class": 5} for i in range(20)]
    del facts[3]["area"], facts[4]["note"]
    facts[7]["late"] = 1
    recording = toy_recording(20, facts=facts, groups=["a"] * 10 + ["b"] * 10, triggers=[i / 8 for i in range(20)])
    results = table(recording, toy_engine, tmp_path / "p")
    columns, found = {c.name: c for c in results.head.columns}, values_of(results)
    assert found["object"].tolist() == list(range(10, 30)) and columns["object"].dtype == "int64"
    assert np.isnan(found["area"][3]) and found["area"][4] == 1.0
    assert [("", *columns["note"].labels)[code + 1] for code in found["note"]] == [f.get("note", "") for f in facts]
    assert set(found["fact:class"]) == {5}
    assert np.isnan(found["late"]).sum() == 19
    assert columns["group"].labels == ("a", "b") and found["group"].tolist() == [0] * 10 + [1] * 10
    assert columns["trigger_s"].role == "time" and found["trigger_s"][8] == 1.0


def test_a_run_that_broke_off_goes_on(toy_engine, tmp_path):
    broken = toy_recording(2000, damaged=[3, 1500], ends=1200)
    with pytest.raises(RuntimeError, match="plug"):
        run(broken, toy_engine, tmp_path / "p", embedding=True)
    parts = Parts(tmp_path / "p", RunInfo(**RUN, embedding=True), resume=True)
    assert parts.end == 1025, "all blocks that were read whole"
    whole = toy_recording(2000, damaged=[3, 1500])
    found = values_of(table(whole, toy_engine, tmp_path / "p", embedding=True, resume=True))
    assert whole.skipped.total() == 1, "what was read before is not read again"
    expected = values_of(table(toy_recording(2000, damaged=[3, 1500]), toy_engine, tmp_path / "q", embedding=True))
    assert found.keys() == expected.keys()
    for name in expected:
        assert np.array_equal(found[name], expected[name]), name


def test_a_part_that_was_damaged_is_done_again(toy_engine, tmp_path):
    parts = run(toy_recording(100), toy_engine, tmp_path / "p")
    file = next((tmp_path / "p").glob("part-*.npz"))
    file.write_bytes(file.read_bytes()[:-200])
    again = run(toy_recording(100), toy_engine, tmp_path / "p", resume=True)
    assert (again.rows, again.end) == (parts.rows, parts.end) == (100, 100)


def test_a_part_keeps_no_frames(toy_engine, tmp_path):
    parts = Parts(tmp_path / "p", RunInfo(**RUN, embedding=False), resume=False)
    block, found = next(classified(toy_engine, blocks_of(toy_recording(40), toy_engine.bundle, [0, 1], batch=8), 8))
    frames, embedding = weakref.ref(block.frames), weakref.ref(found[0].embedding)
    parts.add(block, found)
    del block, found
    gc.collect()
    assert frames() is None and embedding() is None
    parts.flush()
    assert parts.rows == 40


def test_a_part_that_cannot_be_written_is_told_and_nothing_is_lost(toy_engine, tmp_path, monkeypatch):
    monkeypatch.setattr("engines.offline._parts.PART_ROWS", 512)  # a part per block
    parts = Parts(tmp_path / "p", RunInfo(**RUN, embedding=False), resume=False)
    (tmp_path / "p").rename(tmp_path / "away")
    blocks = blocks_of(toy_recording(2000), toy_engine.bundle, [0, 1], batch=8)
    told = 0
    for block, found in classified(toy_engine, blocks, 8):
        try:
            parts.add(block, found)
        except InputError as error:
            told += error.field == "part"
    with pytest.raises(InputError, match="part"):
        parts.flush()
    assert told
    assert parts.rows == parts.end == 0
    (tmp_path / "away").rename(tmp_path / "p")
    parts.flush()
    assert parts.rows == parts.end == 2000
    again = Parts(tmp_path / "p", RunInfo(**RUN, embedding=False), resume=True)
    assert [int(i) for _, arrays in again.rows_of() for i in arrays["index"]] == list(range(2000))


def test_a_run_goes_on_only_with_the_same_cells_bundle_and_options(toy_engine, tmp_path):
    parts = run(toy_recording(10), toy_engine, tmp_path / "p")
    with pytest.raises(InputError, match="--resume"):
        Parts(tmp_path / "p", RunInfo(**RUN, embedding=False), resume=False)
    for name in ("cells_sha256", "bundle_sha256", "engine"):
        with pytest.raises(InputError, match=name):
            Parts(tmp_path / "p", RunInfo(**{**RUN, name: "other"}, embedding=False), resume=True)
    with pytest.raises(InputError, match="embedding"):
        Parts(tmp_path / "p", RunInfo(**RUN, embedding=True), resume=True)
    parts.remove()
    assert not (tmp_path / "p").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        Parts(tmp_path / "p", RunInfo(**RUN, embedding=False), resume=True)


def test_what_was_finished_is_kept_when_the_engine_fails(toy_bundle, tmp_path):
    engine = ScriptedEngine(toy_bundle)

    class Failing(Fake):
        def __getitem__(self, index):
            engine.fail_collect = int(index >= 1020)
            return super().__getitem__(index)

    recording = Failing(toy_frames(np.arange(4000) % 3))
    try:
        with pytest.raises(EngineError, match="told to fail"):
            run(recording, engine, tmp_path / "p")
    finally:
        engine.close()
    parts = Parts(tmp_path / "p", RunInfo(**RUN, embedding=False), resume=True)
    assert parts.end % 8 == 0


def test_the_engine_has_its_next_batch_before_a_block_is_handled(toy_bundle):
    engine = ScriptedEngine(toy_bundle)
    recording = toy_recording(1100)
    blocks = blocks_of(recording, toy_bundle, [0, 1], batch=8)
    busy = [not engine.ready for _ in classified(engine, blocks, 8)]
    engine.close()
    assert busy == [True] * (len(busy) - 1) + [False]


def test_blocks_are_whole_batches(toy_bundle):
    sizes = [len(block) for block in blocks_of(toy_recording(1100, damaged=[7]), toy_bundle, [0, 1], batch=24)]
    assert all(size % 24 == 0 for size in sizes[:-1]) and sum(sizes) == 1099


class InSpans(Fake):
    """A recording that hands out spans; not over cells that are damaged."""

    def span(self, start, stop):
        if self.damaged & set(range(start, stop)):
            return None
        cells = [self[at] for at in range(start, stop)]
        return Span(
            np.stack([cell.frame for cell in cells]),
            np.array([cell.label for cell in cells], np.int16),
            [cell.group for cell in cells],
            np.array([np.nan if cell.trigger_s is None else cell.trigger_s for cell in cells]),
            {"number": [cell.facts["number"] for cell in cells]},
        )


@pytest.mark.parametrize("damaged", [(), (0,), (511, 512, 513), (100, 1500), (1998, 1999), range(600, 1300)])
def test_cells_at_once_or_one_by_one_is_the_same_table(toy_engine, tmp_path, damaged):
    n = 2000
    given = {
        "damaged": damaged,
        "groups": [f"g{i % 3}" for i in range(n)],
        "facts": [{"number": i * i} for i in range(n)],
        "triggers": [i / 8 for i in range(n)],
    }
    made = InSpans(toy_frames(np.arange(n) % 3), labels=np.arange(n) % 3, **given)
    found = values_of(table(made, toy_engine, tmp_path / "a"))
    expected = values_of(table(toy_recording(n, **given), toy_engine, tmp_path / "b"))
    assert made.skipped.total() == len(damaged)
    assert found.keys() == expected.keys()
    for name in expected:
        assert np.array_equal(found[name], expected[name]), name


@pytest.mark.parametrize("capacity", [1, 2, 5])
def test_however_many_batches_are_under_way(toy_bundle, tmp_path, capacity):
    engine = open_engine(toy_bundle, ladder=(8,), threads=capacity, mode="throughput")
    assert engine.capacity == capacity
    found = values_of(table(toy_recording(700, damaged=range(300, 700)), engine, tmp_path / "p"))
    engine.close()
    assert found["class"].tolist() == [i % 3 for i in range(300)]


@pytest.mark.parametrize(("names", "field"), [({"brightfield": "Ch1"}, "channels"), ({"PI": "brightfield"}, "channel")])
def test_channels_that_are_not_there(toy_bundle, names, field):
    with pytest.raises(InputError) as error:
        channels_of(toy_recording(3), toy_bundle, names)
    assert error.value.field == field


def test_channels_by_the_files_own_names(toy_bundle):
    recording = toy_recording(3)
    recording.channels = ("Ch6", "Ch1")
    assert channels_of(recording, toy_bundle, {"brightfield": "Ch1", "darkfield": "Ch6"}) == [1, 0]


def test_counts_of_another_dtype_are_refused(toy_bundle):
    with pytest.raises(InputError, match="uint16, as the bundle takes"):
        channels_of(Fake(toy_frames([0], dtype="uint8")), toy_bundle)


def test_an_error_of_the_reader_is_raised_after_what_was_read():
    def items():
        yield 1
        yield 2
        raise ValueError("torn")

    taken = []
    with pytest.raises(ValueError, match="torn"), ahead(items()) as read:
        taken.extend(read)  # as far as it comes
    assert taken in ([], [1, 2])


def test_whoever_stops_taking_ends_the_reader():
    made = []

    def endless():
        while True:
            made.append(len(made))
            yield made[-1]

    with ahead(endless(), depth=2) as read:
        assert next(read) == 0
    count = len(made)
    assert count <= 4
    assert len(made) == count


def test_names_with_nul_or_without_meaning_get_through(toy_engine, tmp_path):
    facts = [{"note": "x\0"}, {"note": "\udcff"}, {}]
    recording = toy_recording(3, groups=["a\0b", "\udce9", ""], facts=facts)
    recording.classes = ("d\0", "\udcfe", "blinding")
    results = table(recording, toy_engine, tmp_path / "p")
    columns = {column.name: column for column in results.head.columns}
    assert columns["group"].labels == ("a\ufffdb", "\ufffd")
    assert columns["label"].labels == ("d\ufffd", "\ufffd", "blinding")
    assert values_of(results)["group"].tolist() == [0, 1, -1]
    assert columns["note"].labels == ("x\ufffd", "\ufffd")


def test_a_submit_that_fails_loses_no_finished_block(toy_bundle):
    engine = ScriptedEngine(toy_bundle)
    blocks = iter(blocks_of(toy_recording(1100), toy_bundle, [0, 1], batch=8))

    def failing():
        yield next(blocks)
        engine.fail_submit = 1
        yield next(blocks)

    taken = []
    with pytest.raises(EngineError, match="at submit"):
        for block, _ in classified(engine, failing(), 8):
            taken.append(block.end)
    engine.close()
    assert taken == [512]
