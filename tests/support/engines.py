"""Engines that misbehave on purpose, and a streamer around one in a thread of this process."""

import tempfile
import threading
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from engines.backends import Choice, Predictions, Wakeup
from engines.errors import EngineError
from streamer.config import parse_config
from streamer.loop import Streamer

WARM_S = 0.0005


class ScriptedEngine:
    """Answers as the toy bundle does, after `delay_s`; raises or hangs when told so."""

    ladder = (1, 2, 4, 8)
    capacity = 1

    def __init__(self, bundle, capacity=1, name="scripted"):
        self.name = name
        self.bundle = bundle
        self.capacity = capacity
        self._levels = np.array([bundle.manifest.training["levels"]], np.float32)
        self.most = 0
        self.delay_s = 0.0
        self.fail_submit = 0
        self.fail_collect = 0
        self.hanging = threading.Event()
        self.batches = self.looks = 0
        self._wakeup = Wakeup()
        self._batches = deque()
        self.closed = False

    def warm(self):
        return dict.fromkeys(self.ladder, WARM_S)

    def take(self, waiting):
        return max(rung for rung in self.ladder if rung <= waiting)

    @property
    def ready(self):
        return len(self._batches) < self.capacity

    def submit(self, frames):
        if self.fail_submit:
            self.fail_submit -= 1
            raise EngineError("scripted: told to fail at submit")
        self.batches += 1
        assert self.ready
        # Each takes its time, whatever else is under way; a later one may be done before an earlier.
        delay_s = self.delay_s * (1.5 if self.batches % 2 else 0.5) if self.capacity > 1 else self.delay_s
        self._batches.append((frames.copy(), time.monotonic() + delay_s))
        self.most = max(self.most, len(self._batches))
        threading.Timer(delay_s, self._wakeup.set).start()

    def collect(self, timeout_s=0.0):
        self.looks += 1
        if not self._batches or self.hanging.is_set():
            return None
        frames, ready_at = self._batches[0]
        if time.monotonic() < ready_at:
            self._wakeup.clear()  # of a batch before it; its own is still to come
            return None
        self._wakeup.clear()
        self._batches.popleft()
        if self._batches:
            self._wakeup.set()  # that one may be done already
        if self.fail_collect:
            self.fail_collect -= 1
            raise EngineError("scripted: told to fail at collect")
        means = frames.mean(axis=(2, 3)).astype(np.float32)
        logits = -((means[:, :1] - self._levels) ** 2) / 1e4
        probabilities = np.exp(logits - logits.max(1, keepdims=True))
        probabilities /= probabilities.sum(1, keepdims=True)
        return Predictions(probabilities.astype(np.float32), means, means, max(self.delay_s, WARM_S))

    def fileno(self):
        return self._wakeup.fileno()

    def close(self):
        while self.hanging.is_set():
            time.sleep(0.01)
        self.closed = True
        self._wakeup.close()


class Inside:
    """A streamer in a thread: its endpoints, its engine, and its journals."""

    def __init__(self, directory, engine, sections, build, names, slots):
        self.engine = engine
        self.journals = Path(directory) / "journals"
        tree = {
            "streamer": {
                "bundle": str(engine.bundle.path),
                **{name: f"ipc://{directory}/{name}" for name in ("cells", "decisions", "telemetry", "control")},
                "journal": str(self.journals),
                "heartbeat_s": 0.3,
                "slots": slots,
            },
            "gate": [
                {"name": "bright", "way": "left", "where": {"bright": {"min": 0.5}}},
                {"name": "blinding", "way": "right", "where": {"blinding": {"min": 0.5}}},
            ],
            **sections,
        }
        config = parse_config(tree, "test", Path(directory))
        self.cells, self.decisions, self.control = (
            getattr(config.streamer, name) for name in ("cells", "decisions", "control")
        )
        self.healthy = None
        ready = threading.Event()
        self._streamer = Streamer(config, engine, ready.set, build=build, names=names)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert ready.wait(20)

    def _run(self):
        self.healthy = self._streamer.run()

    def stop(self):
        """Stop the streamer; return whether its engine answered."""
        self._streamer.stop()
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.healthy

    def journal(self, series):
        return self.journals / f"{series}.journal"


def no_other(bundle, names):
    """There is no other engine."""
    raise EngineError("scripted: there is no other")


class Shop:
    """Where a streamer gets other engines from: keeps all it has built, in `built`, and what it was asked for."""

    def __init__(self, *, capacity=1, takes_s=0.0):
        self.capacity, self.takes_s = capacity, takes_s
        self.built, self.asked = [], []
        self.refused = 0
        """How often none of those asked for could be built."""
        self.broken = set()
        """Names of engines that cannot be built."""

    def __call__(self, bundle, names):
        self.asked.append(names)
        time.sleep(self.takes_s)
        for place, name in enumerate(names):
            if name not in self.broken:
                engine = ScriptedEngine(bundle, self.capacity, name)
                self.built.append(engine)
                return Choice(engine, name, place > 0, names[place:] + names[:place])
        self.refused += 1
        raise EngineError(f"scripted: cannot build {', '.join(names)}")


@contextmanager
def inside(bundle, capacity=1, build=no_other, names=("scripted",), given=None, slots=4096, **sections):
    """Run a streamer on a `ScriptedEngine`, or the one given, in a thread; `build` is where it gets others from."""
    with tempfile.TemporaryDirectory(prefix="cg-") as directory:
        engine = ScriptedEngine(bundle, capacity) if given is None else given
        running = Inside(directory, engine, sections, build, names, slots)
        try:
            yield running
        finally:
            for member in getattr(engine, "members", (engine,)):
                member.hanging.clear()
            running.stop()
            engine.close()
