"""Start a real streamer in a process of its own and talk to it."""

import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

TOY_GATE = """
[[gate]]
name = "bright"
way = "left"
where = { bright = { min = 0.5 } }

[[gate]]
name = "blinding"
way = "right"
where = { blinding = { min = 0.5 } }
"""


class Running:
    """A `cellgate run` process on sockets in a short directory of its own."""

    def __init__(
        self,
        sockets: Path,
        bundle: Path,
        *,
        gates: str = TOY_GATE,
        sections: str = "",
        wait: bool = True,
        file_bytes: int | None = None,
        **streamer: object,
    ):
        self.sockets = Path(sockets)
        self.journals = self.sockets / "journals"
        self.cells = f"ipc://{self.sockets}/cells"
        self.decisions = f"ipc://{self.sockets}/decisions"
        self.telemetry = f"ipc://{self.sockets}/telemetry"
        self.control = f"ipc://{self.sockets}/control"
        extra = "".join(f"{key} = {value}\n" for key, value in streamer.items())
        config = self.sockets / "config.toml"
        config.write_text(
            f'[streamer]\nbundle = "{bundle}"\ncells = "{self.cells}"\ndecisions = "{self.decisions}"\n'
            f'telemetry = "{self.telemetry}"\ncontrol = "{self.control}"\njournal = "journals"\n'
            f"heartbeat_s = 0.3\n{extra}\n{sections}\n{gates}"
        )
        self.log = self.sockets / "streamer.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamer.cli", "run", "--config", str(config)],
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=None if file_bytes is None else lambda: _limit_files(file_bytes),
            )
        if wait:
            self.wait_ready()

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        until = time.monotonic() + timeout_s
        while "ready" not in self.text():
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"the streamer did not get ready:\n{self.text()}")
            time.sleep(0.02)

    def text(self) -> str:
        return self.log.read_text()

    def journal(self, series: str) -> Path:
        return self.journals / f"{series}.journal"

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def _limit_files(size: int) -> None:
    """Let no file grow beyond `size` bytes: a disk that is full, as far as a journal can tell."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
