"""The command line, `cellgate`."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points, version
from typing import Annotated

import typer

from engines.crossval.cli import crossval_command
from engines.errors import CellgateError
from engines.evaluation.cli import evaluate_command
from engines.offline.cli import classify_command, convert_command
from engines.quantise.cli import quantise_command
from engines.tensorrt.cli import build_command
from engines.training.cli import train_command
from streamer.cli.bundle import bundle_command
from streamer.cli.ctl import app as ctl_app
from streamer.cli.demo import demo_command
from streamer.cli.doctor import doctor_command
from streamer.cli.info import info_command
from streamer.cli.journal import app as journal_app
from streamer.cli.keys import keys_command
from streamer.cli.observe import observe_command
from streamer.cli.record import record_command
from streamer.cli.report import report_command
from streamer.cli.run import run_command
from streamer.cli.send import send_command
from streamer.cli.simulate_sort import simulate_sort_command
from streamer.cli.swap import swap_command
from streamer.cli.verify import verify_command
from streamer.cli.watch import watch_command

USAGE_ERROR = 2
PLUGINS = "cellgate.commands"
"""Entry points under this name add commands; that is how rooms the streamer does not know come in."""

app = typer.Typer(
    name="cellgate",
    help="Decide, while a cell is still between the camera and the sorting point, what it is and whether to keep it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line; what a user can act on is one line on stderr and exit code 2, never a traceback."""
    for plugin in entry_points(group=PLUGINS):
        app.add_typer(plugin.load(), name=plugin.name)
    try:
        app()
    except CellgateError as error:
        print(f"cellgate: {error}", file=sys.stderr)  # noqa: T201 - the one place where errors are printed
        sys.exit(USAGE_ERROR)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"cellgate {version('cellgate')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


app.command("demo")(demo_command)
app.command("run")(run_command)
app.command("send")(send_command)
app.command("watch")(watch_command)
app.command("observe")(observe_command)
app.command("record")(record_command)
app.add_typer(ctl_app, name="ctl")
app.command("swap")(swap_command)
app.add_typer(journal_app, name="journal")
app.command("report")(report_command)
app.command("bundle")(bundle_command)
app.command("train")(train_command)
app.command("info")(info_command)
app.command("doctor")(doctor_command)
app.command("evaluate")(evaluate_command)
app.command("crossval")(crossval_command)
app.command("classify")(classify_command)
app.command("convert")(convert_command)
app.command("build")(build_command)
app.command("quantise")(quantise_command)
app.command("verify")(verify_command)
app.command("simulate-sort")(simulate_sort_command)
app.command("keys")(keys_command)
