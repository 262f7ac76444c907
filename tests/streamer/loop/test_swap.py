"""Hot swaps: another bundle takes over between two batches, or is refused with a line; no cell is lost either way."""

import shutil
import subprocess
import sys
import threading
import time

import msgspec
import numpy as np
import pytest

from streamer.client import CellSender, Controller, DecisionReceiver, RefusedError
from streamer.journal import deciders_of, read_journal, summarize
from streamer.observer import SnapshotFeed
from streamer.vocabulary import Reason
from streamer.wire import Legend
from tests.support.engines import ScriptedEngine, Shop, inside
from tests.support.talk import TOY_SCHEMA, Listening, check_account, send_toy
from tests.support.toy import write_toy_bundle

OTHER_LEVELS = (1000, 100, 3000)
"""Of a bundle to which a dim cell is bright, and a bright one dim."""


class Load:
    """Sends bright and dim cells in turn, a few hundred a second, until it is told to stop."""

    def __init__(self, streamer, series, sort_delay_us=None):
        self._sender = CellSender(streamer.cells)
        self._sender.start(series, TOY_SCHEMA, sort_delay_us=sort_delay_us)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stopping.is_set():
            send_toy(self._sender, [0, 1])
            time.sleep(0.004)

    def end(self):
        self._stopping.set()
        self._thread.join(30)
        totals = self._sender.end()
        self._sender.close()
        return totals


@pytest.fixture
def other(tmp_path):
    """A bundle that fits the toy bundle's place and decides otherwise."""
    return write_toy_bundle(tmp_path / "other", name="other", levels=OTHER_LEVELS)


def swap(streamer, bundle, **options):
    with Controller(streamer.control) as operator:
        return operator.swap(str(bundle.path), author="me", reason="better", **options)


def test_ten_swaps_under_load_cost_no_cell(start_streamer, toy_bundle, other):
    streamer = start_streamer()
    sorter = Listening(streamer.decisions)
    load = Load(streamer, "swaps", sort_delay_us=10_000_000)
    stages = []
    for turn in range(10):
        new = toy_bundle if turn % 2 else other
        done = swap(streamer, new, progress=stages.append)
        assert (done.bundle, done.bundle_sha256) == (new.manifest.name, new.sha256)
        assert done.changed_classes == 0
    assert stages[:4] == ["asked", "loading", "compiling", "comparing"]
    with Controller(streamer.control) as operator:
        assert operator.ask().bundle_sha256 == toy_bundle.sha256
    with SnapshotFeed(streamer.telemetry) as feed:
        until = time.monotonic() + 10
        while (snapshot := feed.read()[0]) is None and time.monotonic() < until:
            time.sleep(0.05)
    assert (snapshot.swaps, snapshot.bundle_sha256, snapshot.engine_out) == (10, toy_bundle.sha256, "")
    totals = load.end()
    records, _ = sorter.until_totals()
    path = streamer.journal("swaps")
    check_account(totals, path)
    assert totals.account.not_kept.keys() == {"not_in_gate"}
    assert len(records) == totals.account.decided > 200
    # Every decision is that of the bundle the journal names for it: one keeps the even cells, the other the odd ones.
    journal = read_journal(path)
    decisions = np.sort(journal.decisions, order="seq")
    assert sorted(set(decisions["bundle"].tolist())) == list(range(11))
    others = decisions["bundle"] % 2
    kept = decisions["reason"] == Reason.KEPT
    assert (kept == (decisions["seq"] % 2 != others)).all()
    assert (np.diff(decisions["bundle"].astype(int)) >= 0).all()
    events = [event for event in journal.events if event["event"] == "swap"]
    assert [event["code"] for event in events] == list(range(1, 11))
    for event in events:
        assert (event["author"], event["reason"]) == ("me", "better")
        assert event["seq"] == decisions["seq"][decisions["bundle"] == event["code"]].min()
        assert event["parity"]["cells"] >= 200
    # Whoever reads the journal, the report or the metrics is told the same.
    names = {code: decider.bundle_sha256 for code, decider in deciders_of(journal).items()}
    assert names == {code: (other if code % 2 else toy_bundle).sha256 for code in range(11)}
    counted = np.bincount(decisions["bundle"])
    assert summarize(journal).bundles == {
        f"{bundle.manifest.name} {bundle.sha256[:12]}": int(counted[odd::2].sum())
        for odd, bundle in enumerate((toy_bundle, other))
    }
    report = msgspec.json.decode(path.with_suffix(".report.json").read_bytes())
    assert [entry["cells"] for entry in report["bundles"]] == counted.tolist()
    assert sum(entry["cells"] for entry in report["bundles"]) == totals.account.decided
    assert streamer.stop() == 0
    assert "Traceback" not in streamer.text()


def test_receivers_and_the_next_series_learn_of_it(start_streamer, toy_bundle, other):
    streamer = start_streamer()
    with CellSender(streamer.cells) as sender, DecisionReceiver(streamer.decisions) as receiver:
        receiver.receive(5)
        sender.start("first", TOY_SCHEMA)
        swap(streamer, other)
        legends = []
        while len(legends) < 2:
            message = receiver.receive(5)
            assert message is not None
            if isinstance(message, Legend):
                legends.append(message.bundle_sha256)
        assert legends == [toy_bundle.sha256, other.sha256]
        sender.end()
    with CellSender(streamer.cells) as sender:
        assert sender.start("second", TOY_SCHEMA).bundle_sha256 == other.sha256
        send_toy(sender, [0, 1])
        sender.end()
    journal = read_journal(streamer.journal("second"))
    assert (journal.header.bundle, journal.header.bundle_sha256) == ("other", other.sha256)
    assert journal.header.config["streamer"]["bundle"] == str(other.path)
    assert journal.decisions["bundle"].tolist() == [0, 0]


def refused_bundles(tmp_path):
    """Bundles that cannot take over, each with the words that say why."""

    def toy(name, **options):
        return write_toy_bundle(tmp_path / name, name=name, **options).path

    damaged = toy("damaged", levels=OTHER_LEVELS)
    (damaged / "fp32.onnx").write_bytes(b"not the graph")
    return {
        "wrong hash": (damaged, "sha256: found"),
        "missing directory": (tmp_path / "nowhere", "manifest.json: found No such file"),
        "other classes": (
            toy("renamed", classes=("dim", "bright", "dazzling")),
            "classes: found dim, bright, dazzling",
        ),
        "classes in another order": (toy("turned", classes=("bright", "dim", "blinding")), "in this order"),
        "other shape": (toy("wide", width=16), r"input\.width: found 16, expected 8, as now"),
        "other channels": (toy("swapped", channels=("darkfield", "brightfield")), r"input\.channels"),
        "other dtype": (toy("bytes", dtype="uint8"), r"input\.dtype: found uint8, expected uint16"),
        "other fit": (toy("resized", fit="resize"), r"input\.fit: found resize"),
    }


def test_what_does_not_fit_is_refused_with_a_line_and_the_old_one_goes_on(start_streamer, toy_bundle, tmp_path):
    streamer = start_streamer()
    load = Load(streamer, "refused")
    with Controller(streamer.control) as operator:
        for path, words in refused_bundles(tmp_path).values():
            with pytest.raises(RefusedError, match=words) as found:
                operator.swap(str(path), author="me", reason="a mistake")
            assert len(str(found.value).splitlines()) == 1
        with pytest.raises(RefusedError, match="which decides, expected another one"):
            operator.swap(str(toy_bundle.path), author="me", reason="again")
        assert operator.ask().bundle_sha256 == toy_bundle.sha256
    totals = load.end()
    check_account(totals, streamer.journal("refused"))
    assert totals.account.kept == totals.account.decided // 2
    assert [event["event"] for event in read_journal(streamer.journal("refused")).events] == ["totals"]
    assert "Traceback" not in streamer.text()


def test_one_that_answers_otherwise_than_its_reference_is_refused(start_streamer, tmp_path):
    first = write_toy_bundle(tmp_path / "first", int8_levels=(100, 1000, 3000))
    wrong = write_toy_bundle(tmp_path / "wrong", name="wrong", int8_levels=OTHER_LEVELS)
    right = write_toy_bundle(tmp_path / "right", name="right", int8_levels=(101, 1000, 3000))
    streamer = start_streamer(first, sections='[engine]\nprecision = "int8"\nthreads = 1\n')
    with pytest.raises(RefusedError, match="cells seen: found 0"):
        swap(streamer, right)  # rounded arithmetic is compared on real cells
    with CellSender(streamer.cells) as sender:
        sender.start("seen", TOY_SCHEMA)
        send_toy(sender, np.arange(300) % 3)
        sender.end()
    with pytest.raises(RefusedError, match=r"changed classes \(66\.\d\d%, at most 0\.50%\)"):
        swap(streamer, wrong)
    assert swap(streamer, right).changed_classes == 0
    with pytest.raises(RefusedError, match="changed gate decisions"):
        swap(streamer, wrong, max_changed=0.6)


def test_gates_must_find_what_they_ask_for(start_streamer, tmp_path, toy_bundle):
    other = write_toy_bundle(tmp_path / "other", name="other", channels=("brightfield", "darkfield"))
    manifest = other.path / "manifest.json"
    manifest.write_text(manifest.read_text().replace("darkfield:mean", "darkfield:average"))
    gates = '[[gate]]\nname = "high"\nway = "left"\nwhere = { "darkfield:mean" = { min = 500 } }\n'
    streamer = start_streamer(gates=gates)
    with pytest.raises(RefusedError, match="darkfield:mean"):
        swap(streamer, other)


def test_one_swap_at_a_time(toy_bundle, other):
    shop = Shop(takes_s=1.0)
    with inside(toy_bundle, build=shop) as streamer, Controller(streamer.control) as second:
        first = threading.Thread(target=swap, args=(streamer, other))
        first.start()
        while not shop.asked:
            time.sleep(0.005)
        with pytest.raises(RefusedError, match="under way"):
            second.swap(str(other.path), author="me", reason="impatient")
        first.join(20)
        assert second.ask().bundle_sha256 == other.sha256


def test_a_swap_waits_for_what_is_under_way_and_for_nothing_else(toy_bundle, other):
    shop = Shop(capacity=2)
    with inside(toy_bundle, 2, shop) as streamer:
        streamer.engine.delay_s = 0.02
        load = Load(streamer, "two")
        time.sleep(0.2)
        swap(streamer, other)
        time.sleep(0.2)
        totals = load.end()
        check_account(totals, streamer.journal("two"))
        decisions = read_journal(streamer.journal("two")).decisions
    assert totals.account.not_kept.keys() == {"not_in_gate"}
    assert (np.diff(decisions["seq"].astype(np.int64)) == 1).all()
    assert (np.diff(decisions["bundle"].astype(int)) >= 0).all()
    assert set(decisions["bundle"].tolist()) == {0, 1}


def test_cells_that_wait_for_their_windows_carry_what_classified_them(toy_bundle, other):
    window = {"way": {"left": {"mode": "purity", "leading_us": 100, "trailing_us": 8_000_000}}}
    with inside(toy_bundle, build=Shop(), **window) as streamer, CellSender(streamer.cells) as sender:
        sender.start("waits", TOY_SCHEMA, sort_delay_us=20_000_000)
        send_toy(sender, [1])
        swapping = threading.Thread(target=swap, args=(streamer, other))
        swapping.start()
        while swapping.is_alive():
            sender.beat()
            time.sleep(0.05)
        send_toy(sender, [0])
        totals = sender.end()
        check_account(totals, streamer.journal("waits"))
        decisions = np.sort(read_journal(streamer.journal("waits")).decisions, order="seq")
    assert decisions["bundle"].tolist() == [0, 1]


def test_an_engine_that_breaks_while_a_swap_is_made_ready_is_replaced_by_it(toy_bundle, other):
    shop = Shop(takes_s=0.5)
    with inside(toy_bundle, build=shop, engine={"faults_in_a_row": 1}) as streamer:
        load = Load(streamer, "both")
        done = threading.Thread(target=swap, args=(streamer, other))
        done.start()
        while not shop.asked:
            time.sleep(0.005)
        streamer.engine.fail_collect += 1
        done.join(20)
        time.sleep(0.2)
        totals = load.end()
        check_account(totals, streamer.journal("both"))
        assert len(shop.built) == 1
        assert totals.account.not_kept.keys() == {"not_in_gate", "engine_fault"}
        assert isinstance(streamer.engine, ScriptedEngine) and streamer.engine.closed


def test_a_streamer_that_stops_gives_the_swap_up(toy_bundle, other):
    shop = Shop(takes_s=0.5)
    found = []

    def order():
        with pytest.raises(RefusedError, match="stopping") as error:
            swap(streamer, other)
        found.append(error)

    with inside(toy_bundle, build=shop) as streamer:
        thread = threading.Thread(target=order)
        thread.start()
        while not shop.asked:
            time.sleep(0.005)
        assert streamer.stop() is True
        thread.join(20)
    assert found
    assert all(engine.closed for engine in shop.built)


def test_the_command_tells_how_it_goes(streamer, other, tmp_path):
    def command(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "streamer.cli", "swap", *map(str, arguments), "--to", streamer.control],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
        )

    done = command("other", "--reason", "retrained", "--max-changed", "0.01")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1:4] == ["loading and checking", "compiling and warming", "comparing with FP32"]
    assert lines[4].startswith("verified: on 200 cells 0 classes and 0 gate decisions differ")
    assert lines[5].startswith(f"switched: bundle other {other.sha256[:12]} decides, on onnxruntime")
    shutil.rmtree(other.path)
    refused = command(other.path)
    assert refused.returncode == 2
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "No such file" in refused.stderr
