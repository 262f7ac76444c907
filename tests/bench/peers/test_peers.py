"""Peers, for real: their servers, in processes of their own, asked by the client that asks Cellgate."""

import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from bench.live import Load, frames_for, play
from bench.peers import PEERS, Peer, Server, Setting, choose, end_tree, family, measure, peer_versions, tables, verdict
from bench.peers._environment import REQUIREMENTS, TOLD, interpreter
from bench.peers._run import absent
from bench.subject import Options
from engines.backends import open_engine
from engines.errors import CellgateError, InputError
from tests.conftest import REPOSITORY

ENVIRONMENT = REPOSITORY / ".venv-peers"
NAMED = {peer.name: peer for peer in PEERS}


@pytest.fixture(scope="module")
def expected(toy_bundle):
    """Frames, and what Cellgate's engine says of them."""
    frames = frames_for(toy_bundle)[:8]
    with closing(open_engine(toy_bundle, "openvino", threads=1)) as engine:
        engine.submit(frames)
        return frames, engine.collect(30.0).probabilities


def answers_as_cellgate_does(peer, setting, bundle, python, expected):
    frames, probabilities = expected
    with Server(peer, setting, bundle, python=python, threads=1) as server:
        members = family(server.pid)
        np.testing.assert_allclose(server.answers(frames), probabilities, atol=1e-5)
        outcome = play(server.target(), frames, Load(200, window=16))
        assert outcome.missing == 0
        assert outcome.in_time.all()
        members += family(server.pid)
    assert not set(members) & {identity for number, _ in members for identity in family(number)}, "some still run"
    return True


@pytest.mark.parametrize("workers", [1, 2])
def test_a_req_rep_loop_answers_as_cellgate_does_and_is_gone_afterwards(toy_bundle, expected, workers):
    setting = Setting(workers=workers)
    assert answers_as_cellgate_does(NAMED["rep"], setting, toy_bundle, Path(sys.executable), expected)


@pytest.mark.parametrize("name", ["litserve", "pytriton", "ray"])
def test_a_peer_answers_as_cellgate_does_and_is_gone_afterwards(toy_bundle, expected, name):
    peer = NAMED[name]
    if peer.package not in peer_versions(ENVIRONMENT):
        pytest.skip(f"{peer.package} is not installed in {ENVIRONMENT.name}: make peers-env")
    assert answers_as_cellgate_does(peer, Setting(4, 1.0, 2), toy_bundle, interpreter(ENVIRONMENT), expected)


@pytest.mark.slow
def test_a_run_measures_who_is_there_and_says_who_is_not(toy_bundle, tmp_path):
    steps = []
    options = Options(bundle=str(toy_bundle.path), seconds=0.05)
    figures = measure(options, steps.append, only=("rep", "litserve"), environment=tmp_path / "none")
    rep, litserve = figures["peers"]
    assert rep["measured"]
    assert re.fullmatch(r"[0-9.]+", rep["version"])
    assert [each["workers"] for each in rep["tried"]] == [1, 2]
    assert set(rep["latency"]) == {"25%", "50%", "75%"}
    for each in (*rep["latency"].values(), *figures["cellgate"]["latency"].values(), rep["cellgate_beside"]):
        assert (each["sent"], each["failed"], each["missing"]) == (each["decided"], 0, 0)
        assert each["latency_us"]["p99"] > 0
    assert rep["cellgate_beside"]["rate"] == pytest.approx(0.5 * rep["cells_per_s"], rel=0.01)
    assert rep["throughput_over_peer"] == pytest.approx(
        rep["cellgate_beside"]["cells_per_s"] / rep["cells_per_s"], abs=0.001
    )
    assert not litserve["measured"]
    assert "cellgate bench peers-env" in litserve["reason"]
    assert figures["peer_versions"]["ray"] == "not installed"
    console = Console(file=StringIO(), width=150)
    for table in tables(figures):
        console.print(table)
    assert "litserve is not installed" in console.file.getvalue()
    assert "REQ/REP loop, pyzmq: batch 1, 2 workers" in steps


def test_a_peer_that_is_not_installed_is_told_how_to_be():
    nowhere = Path("nowhere")
    assert peer_versions(nowhere) == {}
    for peer in PEERS:
        reason = absent(peer, nowhere, {})
        assert reason is None if peer.name == "rep" else "nowhere; cellgate bench peers-env" in reason
    assert absent(NAMED["ray"], nowhere, {"ray": "1"}) is None
    assert absent(NAMED["ray"], nowhere, {"error": "broken"}) == "broken"


def test_an_environment_whose_python_does_not_run_is_named(tmp_path):
    interpreter(tmp_path).parent.mkdir()
    interpreter(tmp_path).write_text("no program")
    with pytest.raises(CellgateError, match=r"peers: .*python cannot be used"):
        peer_versions(tmp_path)


def test_a_peer_nobody_knows_is_named(toy_bundle):
    with pytest.raises(InputError, match="--only: found torchserve, expected rep or litserve or pytriton or ray"):
        measure(Options(bundle=str(toy_bundle.path)), print, only=("torchserve",))


def test_a_server_that_does_not_start_says_why(toy_bundle):
    broken = Peer("broken", "Broken", "no_server", "rep", None, (Setting(),), ())
    with pytest.raises(CellgateError, match=r"Broken ended with code 1: .*No module named"):
        Server(broken, Setting(), toy_bundle, python=Path(sys.executable), threads=1)


def test_a_process_ends_with_all_it_started_even_what_does_not_want_to(tmp_path):
    stubborn = (
        "import signal, subprocess, sys, time, pathlib\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if len(sys.argv) > 2: subprocess.Popen([sys.executable, __file__, sys.argv[1]], start_new_session=True)\n"
        "else: pathlib.Path(sys.argv[1]).touch()\n"
        "time.sleep(60)\n"
    )
    program, up = tmp_path / "stubborn.py", tmp_path / "up"
    program.write_text(stubborn)
    process = subprocess.Popen([sys.executable, program, up, "parent"])
    until = time.monotonic() + 20
    while not up.exists() and time.monotonic() < until:
        time.sleep(0.01)
    members = family(process.pid)
    assert len(members) == 2
    end_tree(process, stop_s=0.2)
    assert process.poll() == -signal.SIGKILL
    assert [identity for number, _ in members for identity in family(number) if identity in members] == []


def test_a_server_does_not_outlive_a_bench_that_is_killed(toy_bundle):
    program = (
        "import sys, time, pathlib\n"
        "from bench.peers import PEERS, Server, Setting\n"
        "from engines.bundle import load_bundle\n"
        "bundle, python = load_bundle(sys.argv[1]), pathlib.Path(sys.executable)\n"
        "server = Server(PEERS[0], Setting(), bundle, python=python, threads=1)\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, toy_bundle.path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as bench:
        server = int(bench.stdout.readline())
        assert family(server)
        bench.kill()
    until = time.monotonic() + 20
    while family(server) and time.monotonic() < until:
        time.sleep(0.05)
    assert family(server) == []


def test_of_settings_that_carry_the_same_the_one_that_holds_cells_back_least_is_taken():
    eager, patient, twice = Setting(8, 1.0), Setting(32, 10.0), Setting(8, 1.0, 2)
    assert choose({eager: 950.0, patient: 1000.0, twice: 990.0}) == eager
    assert choose({eager: 800.0, patient: 1000.0, twice: 700.0}) == patient


def latency(p99, failed=0, missing=0):
    return {"latency_us": {"p99": p99} if p99 else {}, "failed": failed, "missing": missing}


@pytest.mark.parametrize(
    ("mine", "theirs", "engine", "met"),
    [(2000.0, 1000.0, 9000.0, True), (1900.0, 1000.0, 9000.0, False), (1900.0, 1900.0, 2000.0, True)],
)
def test_the_throughput_is_to_be_twice_the_peers_or_what_the_engine_can(mine, theirs, engine, met):
    beside = {**latency(1.0), "cells_per_s": mine, "engine_cells_per_s": engine}
    found = verdict({"cells_per_s": theirs, "latency": {"50%": latency(10.0)}}, beside)
    assert found["throughput_met"] is met
    assert found["throughput_over_peer"] == mine / theirs


@pytest.mark.parametrize(
    ("beside", "met"),
    [(latency(2.0), True), (latency(2.1), False), (latency(1.0, failed=1), False), (latency(None, missing=9), False)],
)
def test_the_p99_is_to_be_a_fifth_of_the_peers_with_every_cell_answered(beside, met):
    peer = {"cells_per_s": 1.0, "latency": {"50%": latency(10.0)}}
    assert verdict(peer, {**beside, "cells_per_s": 1.0, "engine_cells_per_s": 1.0})["p99_met"] is met


def test_the_peers_are_pinned_and_run_the_openvino_that_cellgate_runs():
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if line[:1] not in ("#", "")]
    pins = dict(re.fullmatch(r"([a-z0-9.-]+)==(\S+)", line).groups() for line in lines)
    assert set(TOLD) <= set(pins)
    ours = dict(re.findall(r"^(openvino|pyzmq)==(\S+)$", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE))
    assert {name: pins[name] for name in ours} == ours
