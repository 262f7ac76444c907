"""A streamer per test, on the toy bundle, in a process of its own."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.running import Running


@pytest.fixture
def start_streamer(toy_bundle):
    """Start streamers: `start_streamer(sections=…, slots=…)`; they are killed when the test is over."""
    with ExitStack() as stack:

        def start(bundle=toy_bundle, **settings) -> Running:
            # Not tmp_path: a socket's path may not be longer than about a hundred characters.
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="cg-"))
            return stack.enter_context(Running(Path(directory), bundle.path, **settings))

        yield start


@pytest.fixture
def streamer(start_streamer):
    """One streamer with the defaults."""
    return start_streamer()
