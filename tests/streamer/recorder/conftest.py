"""A streamer that hands frames out, and recorders, each in a process of its own."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from streamer.demo._children import Child
from tests.support.running import TOY_GATE, Running


class Bench:
    """Streamers and recorders in one short directory; everything ends with the test."""

    def __init__(self, stack, directory, bundle):
        self._stack, self._bundle, self.directory = stack, bundle, directory
        self.endpoint = f"ipc://{directory}/recording"
        self._count = 0

    def streamer(self, recording="", sections="", bundle=None, gates=TOY_GATE, **settings):
        sections = f'[recording]\nendpoint = "{self.endpoint}"\n{recording}\n{sections}'
        bundle = bundle or self._bundle
        return self._stack.enter_context(
            Running(self.directory, bundle.path, sections=sections, gates=gates, **settings)
        )

    def recorder(self, out, *options, connected=True):
        self._count += 1
        arguments = ["record", "--from", self.endpoint, "--out", str(self.directory / out), *options]
        child = self._stack.enter_context(Child(f"recorder{self._count}", arguments, self.directory))
        if connected:
            child.wait_for("connected")
        return child


@pytest.fixture
def bench(toy_bundle):
    # Not tmp_path: a socket's path may not be longer than about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="cg-") as directory, ExitStack() as stack:
        yield Bench(stack, Path(directory), toy_bundle)
