"""What a function does to the process it is rehearsed in, its caller survives, and is told in one line."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engines.errors import CellsError, InputError, MissingExtraError
from engines.rehearsal import _rehearse, rehearse

HERE = "tests.support.rehearsed"


@pytest.fixture
def file(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    return tmp_path / "a"


def test_what_it_returns(file):
    assert rehearse(f"{HERE}:length", file, imports=("no_such_library",), times=3) == 15


@pytest.mark.parametrize(("how", "error"), [("cells", CellsError), ("input", InputError)])
def test_what_it_raises(file, how, error):
    with pytest.raises(InputError) as caught:
        rehearse(f"{HERE}:refuse", file, how=how)
    assert type(caught.value) is error
    assert str(caught.value) == f"{file}: field: found this, expected that"
    with pytest.raises(MissingExtraError, match="files"):
        rehearse(f"{HERE}:refuse", file, how="extra")


@pytest.mark.parametrize(
    ("name", "words"),
    [("die", "died of .SIGSEGV"), ("swell", "more than 2 GiB"), ("surprise", "ZeroDivisionError: by a")],
)
def test_what_ends_it(file, name, words):
    with pytest.raises(CellsError, match=words):
        rehearse(f"{HERE}:{name}", file)
    other = file.with_name("b")
    other.write_bytes(b"1")
    assert rehearse(f"{HERE}:length", other) == 1, "and the next file is none the worse"


def test_what_hangs_is_given_up_once(file):
    for _ in range(2):
        with pytest.raises(CellsError, match="did not come back from within 1 s"):
            rehearse(f"{HERE}:hang", file, cpu_s=1)
    assert (file.parent / "asked").read_text() == "x"
    file.write_bytes(b"123456")
    assert rehearse(f"{HERE}:length", file) == 6, "it is another file now"


def test_what_sleeps_is_given_up_too(file):
    with pytest.raises(CellsError, match="did not come back from within 1 s"):
        rehearse(f"{HERE}:sleep", file, cpu_s=1)


def test_a_stage_that_was_ended_is_replaced(file):
    rehearse(f"{HERE}:length", file)
    stage = _rehearse._stages[-1]._process
    stage.send_signal(signal.SIGKILL)
    stage.wait()
    assert rehearse(f"{HERE}:length", file) == 5
    assert _rehearse._stages[-1]._process.pid != stage.pid


def test_a_process_of_ours_has_a_stage_of_its_own(file):
    rehearse(f"{HERE}:length", file)
    context = multiprocessing.get_context("fork")
    theirs = context.Queue()
    child = context.Process(target=lambda: theirs.put((rehearse(f"{HERE}:length", file), _rehearse._stages[-1].owner)))
    child.start()
    assert theirs.get(timeout=60) == (5, child.pid)
    child.join()
    assert _rehearse._stages[-1].owner == os.getpid()


def test_the_stage_ends_with_us(file):
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from engines.rehearsal import _rehearse, rehearse;"
            f"rehearse({HERE + ':length'!r}, Path(sys.argv[1])); print(_rehearse._stages[-1]._process.pid)",
            file,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not said.stderr
    stage = int(said.stdout)
    for _ in range(100):
        try:
            state = Path(f"/proc/{stage}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.1)
    pytest.fail("it is still there")
