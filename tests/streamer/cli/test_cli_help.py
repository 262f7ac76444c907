"""Every command says what it is for."""

from importlib.metadata import version

import pytest
import typer.main
from typer.testing import CliRunner

from streamer.cli import app

COMMANDS = ["demo", "run", "send", "watch", "observe", "journal", "report", "bundle", "train", "keys", "info"]
COMMANDS += ["evaluate", "crossval", "classify", "convert", "quantise", "verify", "doctor", "simulate-sort"]


def invoke(*arguments):
    return CliRunner().invoke(app, [*arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})


def test_these_are_the_commands():
    assert set(COMMANDS) <= set(typer.main.get_command(app).commands)


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command(flag):
    result = invoke(flag)
    assert result.exit_code == 0
    for command in COMMANDS:
        assert command in result.output


@pytest.mark.parametrize(
    "command", [*([c] for c in COMMANDS), *(["journal", c] for c in ("show", "verify", "summary"))]
)
def test_each_command_has_help(command):
    result = invoke(*command, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output
    node = typer.main.get_command(app)
    for name in command:
        node = node.commands[name]
    assert node.help, "says what it does"
    for parameter in node.params:
        if parameter.name != "help" and parameter.param_type_name == "option":
            assert parameter.help, f"{command} {parameter.name} says what it is"
            assert max(parameter.opts, key=len) in result.output


def test_the_version_is_the_packages(cellgate):
    result = cellgate("--version")
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, f"cellgate {version('cellgate')}", "")


def test_help_works_as_a_process_of_its_own(cellgate):
    result = cellgate("--help")
    assert result.returncode == 0
    assert "Usage:" in result.stdout
    assert result.stderr == ""


def test_an_unknown_command_is_a_usage_error():
    assert invoke("nonsense").exit_code == 2
    assert invoke("run", "--nonsense").exit_code == 2
    assert invoke("run").exit_code == 2
