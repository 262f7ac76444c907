"""Make the README's picture: the live view, some seconds into the demo. Run from the repository's root."""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from streamer.demo import Run, Show, choose_setting, run_demo
from streamer.demo._children import Child
from streamer.observer import SnapshotFeed, SnapshotWindow, render

AFTER_S = 12.0
# Rich's own frame asks the web for a font; any monospaced one will do.
SVG = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


class Picture(Show):
    """Takes one picture of the live view."""

    def __init__(self, path: Path) -> None:
        super().__init__(Console(file=sys.stderr), plain=True)
        self._path = path

    def watch(self, telemetry: str, observer: Child, going_on: Callable[[], bool]) -> None:
        """Watch for a while, then write the picture."""
        del observer
        window = SnapshotWindow(span_s=1.0)
        taken, until = False, time.monotonic() + AFTER_S
        with SnapshotFeed(telemetry) as feed:
            while going_on():
                snapshot, age_s = feed.read()
                window.add(snapshot)
                if not taken and time.monotonic() > until:
                    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
                    console.print(render(snapshot, window.previous, age_s=age_s))
                    svg = console.export_svg(title="cellgate demo", code_format=SVG)
                    self._path.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")
                    taken = True
                time.sleep(0.25)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        setting = choose_setting(None, None, 1000.0, seed=0)
        run_demo(setting, Run(16.0, 50_000.0), Path(directory) / "demo", Picture(Path("docs/images/demo.svg")))
