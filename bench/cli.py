"""`cellgate bench`: what Cellgate can do on this machine, beside the machine's own limits and what others do."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="bench",
    help="Measure throughput, latency and overhead on this machine, beside its limits and beside other servers.",
    no_args_is_help=True,
)


@app.callback()
def _bench() -> None:
    pass
