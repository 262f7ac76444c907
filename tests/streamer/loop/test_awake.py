"""The processors are held awake while a series is open, and nobody is the worse where that is not permitted."""

from pathlib import Path

from streamer.loop._awake import Awake


def held_open(path):
    """Tell whether this process has the file open."""
    return any(link.resolve() == path.resolve() for link in Path("/proc/self/fd").iterdir())


def test_zero_microseconds_are_asked_for_as_long_as_it_is_held(tmp_path):
    path = tmp_path / "cpu_dma_latency"
    path.write_bytes(b"")
    awake = Awake(True, path)
    awake.hold()
    awake.hold()
    assert awake.held
    assert held_open(path)
    assert path.read_bytes() == bytes(4)
    awake.release()
    assert not awake.held
    assert not held_open(path)
    awake.release()


def test_without_the_right_to_it_nothing_is_held(tmp_path):
    awake = Awake(True, tmp_path / "is not there")
    awake.hold()
    assert not awake.held
    awake.release()


def test_who_does_not_wish_it_does_not_hold(tmp_path):
    path = tmp_path / "cpu_dma_latency"
    path.write_bytes(b"")
    awake = Awake(False, path)
    awake.hold()
    assert not awake.held
    assert path.read_bytes() == b""
