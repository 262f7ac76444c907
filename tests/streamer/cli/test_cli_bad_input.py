"""What a user gets wrong is one line on stderr and exit code 2, never a traceback."""

import sys

import numpy as np
import pytest
import zmq

from streamer.cli import main

CASES = {
    "run: no such file": (["run", "--config", "nothing.toml"], "nothing.toml: file"),
    "run: not TOML": (["run", "--config", "garbage"], "garbage: TOML"),
    "run: bad value": (["run", "--config", "bad.toml"], "bad.toml: streamer.slots: found 3"),
    "run: no bundle": (["run", "--config", "lost.toml"], "manifest.json: found No such file"),
    "run: bundle with a NUL": (["run", "--config", "nul.toml"], "cellgate: "),
    "run: unknown engine": (["run", "--config", "engine.toml"], "found warp, expected auto or openvino"),
    "run: unknown class": (["run", "--config", "class.toml"], "found unheard-of, expected one of"),
    "send: no such file": (["send", "nothing.npz"], "nothing.npz: file: found No such file"),
    "send: not cells": (["send", "garbage"], "garbage: content: found a file that begins with"),
    "send: bad digital": (["send", "digital:0"], "digital:N: found 0"),
    "send: no share": (["send", "cells.npz", "--drop", "1.5"], "faults: drop: found 1.5"),
    "send: bad stall": (["send", "cells.npz", "--stall-every", "-1"], "faults: stall"),
    "send: bad rate": (["send", "cells.npz", "--rate", "0"], "plan: rate"),
    "send: bad seed": (["send", "cells.npz", "--seed", "-1"], "seed"),
    "send: bad endpoint": (["send", "cells.npz", "--to", "tcp://10.0.0.1:5701"], "CURVE"),
    "send: no such channel": (["send", "cells.npz", "--channels", "a,nope", "--to", "ipc://nobody"], "nope"),
    "send: bad series": (["send", "cells.npz", "--series", "no name!", "--to", "ipc://nobody"], "series"),
    "demo: bad rate": (["demo", "--rate", "0"], "demo: --rate: found 0.0"),
    "demo: rate of nothing": (["demo", "--rate", "nan"], "demo: --rate: found nan"),
    "demo: bad seconds": (["demo", "--seconds", "-3"], "demo: --seconds: found -3.0"),
    "demo: no bundle": (["demo", "--bundle", "nothing"], "nothing: manifest.json"),
    "demo: no cells": (["demo", "--bundle", "BUNDLE", "--cells", "nothing.npz"], "nothing.npz: file"),
    "demo: other channels": (["demo", "--bundle", "BUNDLE", "--cells", "cells.npz"], "also brightfield, darkfield"),
    "bundle: no such directory": (["bundle", "nothing"], "nothing: manifest.json: found No such file"),
    "bundle: a file": (["bundle", "garbage"], "garbage: manifest.json: found Not a directory"),
    "journal show: not one": (["journal", "show", "garbage"], "garbage: magic"),
    "journal summary: not one": (["journal", "summary", "garbage"], "garbage: magic"),
    "journal verify: not one": (["journal", "verify", "garbage"], "garbage: magic"),
    "journal show: no such file": (["journal", "show", "nothing"], "nothing"),
    "watch: bad seconds": (["watch", "--seconds", "0"], "watch: --seconds: found 0.0"),
    "watch: bad endpoint": (["watch", "--from", "nonsense"], "found nonsense"),
    "observe: bad address": (["observe", "--http", "nonsense"], "observer: --http: found nonsense"),
    "observe: bad endpoint": (["observe", "--from", "tcp://0.0.0.0:1"], "CURVE"),
    "keys: bad name": (["keys", "../x"], "keys: NAME: found ../x"),
    "keys: no directory": (["keys", "me", "--to", "garbage"], "garbage"),
    "train: no such file": (["train", "nothing.npz", "--out", "o"], "nothing.npz"),
}


@pytest.fixture
def files(tmp_path, toy_bundle):
    """What the cases name: things that are not what a command wants."""
    (tmp_path / "garbage").write_bytes(b"this is nothing\x00\xff of the kind")
    head = f'[streamer]\nbundle = "{toy_bundle.path}"\n'
    sockets = "".join(f'{name} = "ipc://{name}"\n' for name in ("cells", "decisions", "telemetry"))
    gate = '[[gate]]\nname = "g"\nway = "left"\nwhere = { unheard-of = { min = 0.5 } }\n'
    (tmp_path / "bad.toml").write_text(head + "slots = 3\n")
    (tmp_path / "lost.toml").write_text('[streamer]\nbundle = "nothing"\n')
    (tmp_path / "nul.toml").write_text('[streamer]\nbundle = "a\\u0000b"\n')
    (tmp_path / "engine.toml").write_text(head + '[engine]\nname = "warp"\n')
    (tmp_path / "class.toml").write_text(head + sockets + "[engine]\nladder = [1]\n" + gate)
    np.savez(tmp_path / "cells.npz", frames=np.zeros((3, 2, 4, 4), np.uint16), channels=np.array(["a", "b"]))


PROCESSES = [
    "run: no such file",
    "run: bad value",
    "run: no bundle",
    "run: unknown class",
    "send: no such file",
    "send: no share",
    "send: bad endpoint",
    "send: no such channel",
    "send: bad series",
    "demo: bad rate",
    "bundle: no such directory",
    "journal show: not one",
    "watch: bad seconds",
    "observe: bad address",
    "keys: bad name",
    "train: no such file",
]
"""One or more of each command run as a process of its own; the others, to save time, in this one."""


def words(case, bundle):
    return [str(bundle.path) if word == "BUNDLE" else word for word in CASES[case][0]]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("case", [case for case in CASES if case not in PROCESSES])
def test_bad_input_is_told_in_one_line(monkeypatch, tmp_path, capsys, toy_bundle, case):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cellgate", *words(case, toy_bundle)])
    with pytest.raises(SystemExit) as caught:
        main()
    told = capsys.readouterr().err
    assert caught.value.code == 2
    assert len(told.splitlines()) == 1
    assert told.startswith("cellgate: ")
    assert CASES[case][1] in told


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("case", PROCESSES)
def test_bad_input_is_one_line_and_exit_code_2(cellgate, toy_bundle, case):
    result = cellgate(*words(case, toy_bundle))
    lines = [line for line in result.stderr.splitlines() if " INFO " not in line]
    assert result.returncode == 2, result.stderr
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("cellgate: ")
    assert CASES[case][1] in lines[0]
    assert "Traceback" not in result.stdout


def test_a_port_that_is_taken_is_one_line(cellgate, tmp_path, toy_bundle):
    with zmq.Context() as context, context.socket(zmq.ROUTER) as taken:
        port = taken.bind_to_random_port("tcp://127.0.0.1")
        (tmp_path / "c.toml").write_text(
            f'[streamer]\nbundle = "{toy_bundle.path}"\ncells = "tcp://127.0.0.1:{port}"\n'
            'decisions = "ipc://d"\ntelemetry = "ipc://t"\n[engine]\nladder = [1]\n'
        )
        result = cellgate("run", "--config", "c.toml")
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert str(port) in result.stderr.splitlines()[-1]
