from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from engines.errors import InputError
from streamer.cli.observe import observe_command
from streamer.cli.watch import watch_command
from streamer.observer import watch
from streamer.wire import encode_snapshot

TIMEOUT_S = 60.0
COMMANDS = """
import sys, typer
from streamer.cli.observe import observe_command
from streamer.cli.watch import watch_command
app = typer.Typer()
app.command("observe")(observe_command)
app.command("watch")(watch_command)
app(sys.argv[1:])
"""


@contextmanager
def command(*arguments, **options):
    child = subprocess.Popen([sys.executable, "-c", COMMANDS, *arguments], **options)
    try:
        yield child
    finally:
        child.kill()
        child.wait(TIMEOUT_S)


@contextmanager
def publishing(socket, snapshots):
    """Publish from a thread; the socket is that thread's until the block ends."""
    over = threading.Event()

    def run():
        number = 0
        while not over.wait(0.05):
            socket.send(encode_snapshot(snapshots(number)))
            number += 1

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_observe_serves_until_it_is_told_to_stop(publisher, make_snapshot, number):
    socket, endpoint = publisher
    arguments = ("observe", "--from", endpoint, "--http", "127.0.0.1:0")
    with command(*arguments, stdout=subprocess.PIPE, text=True) as child, child.stdout as lines:
        url = re.search(r"http://[0-9.:]+", lines.readline())[0]
        assert get(f"{url}/healthz")[0] == 503
        with publishing(socket, lambda n: make_snapshot(100 + n / 4)):
            end = time.monotonic() + TIMEOUT_S
            while get(f"{url}/healthz")[0] != 200:
                assert time.monotonic() < end
                time.sleep(0.05)
            assert "cellgate_up 1.0" in get(f"{url}/metrics")[1]
        child.send_signal(number)
        assert child.wait(TIMEOUT_S) == 0


def test_watch_writes_plain_lines_where_there_is_no_terminal(publisher, make_snapshot):
    socket, endpoint = publisher
    with (
        publishing(socket, lambda n: make_snapshot(100 + n / 4)),
        command("watch", "--from", endpoint, stdout=subprocess.PIPE, text=True) as child,
        child.stdout as lines,
    ):
        while not (line := lines.readline()).startswith("time="):
            assert line
        assert "health=ok" in line
        child.send_signal(signal.SIGINT)
        assert child.wait(TIMEOUT_S) == 0


def test_watch_draws_in_a_terminal(publisher, make_snapshot):
    socket, endpoint = publisher
    ours, theirs = pty.openpty()
    environment = dict(os.environ, TERM="xterm-256color", COLUMNS="80", LINES="24", PYTHONUTF8="1")
    seen, end = b"", time.monotonic() + TIMEOUT_S
    with (
        publishing(socket, lambda n: make_snapshot(100 + n / 4)),
        command("watch", "--from", endpoint, stdout=theirs, stderr=theirs, env=environment) as child,
    ):
        os.close(theirs)
        while "✓ sent".encode() not in re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", seen):
            assert time.monotonic() < end
            seen += _read(ours)
        child.send_signal(signal.SIGINT)
        while child.poll() is None and time.monotonic() < end:
            _read(ours)
        assert child.wait(TIMEOUT_S) == 0
    os.close(ours)


def _read(handle):
    try:
        return os.read(handle, 65536) if select.select([handle], [], [], 0.2)[0] else b""
    except OSError:  # the other end is closed
        return b""


def test_watch_survives_a_reader_that_leaves(publisher):
    arguments = ("watch", "--plain", "--from", publisher[1])
    with command(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        child.stdout.readline()
        child.stdout.close()
        with child.stderr as errors:
            assert errors.read() == ""
        assert child.wait(TIMEOUT_S) == 0


def test_watch_ends_when_its_time_is_up(publisher):
    out = io.StringIO()
    watch(publisher[1], seconds=0.01, out=out)
    assert set(out.getvalue().splitlines()) == {"state=unknown snapshot=none"}


def test_signal_handlers_are_put_back(publisher):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    watch(publisher[1], seconds=0.01, out=io.StringIO())
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize("http", ["9464", ":9464", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", "0.0.0.0:0"])
def test_observe_refuses_addresses(http):
    with pytest.raises(InputError, match="--http"):
        observe_command(http=http)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="--from"):
        observe_command(endpoint="tcp://10.1.2.3:5703", http="127.0.0.1:0")
    with pytest.raises(InputError, match="--from"):
        watch_command(endpoint="nowhere")
    with pytest.raises(InputError, match="--seconds"):
        watch_command(seconds=-1.0)
