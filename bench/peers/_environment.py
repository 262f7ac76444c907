"""The environment the peers are installed in: none of what they need comes near Cellgate's own."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

from engines.errors import CellgateError

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
TOLD = ("fastapi", "litserve", "numpy", "nvidia-pytriton", "openvino", "pyzmq", "ray", "starlette", "tritonclient")
"""Whose versions stand in the result; `requirements.txt` has those of everything."""

_VERSIONS = """
import importlib.metadata as metadata, json, platform
found = {each.metadata["Name"].lower(): each.version for each in metadata.distributions()}
print(json.dumps({"python": platform.python_version(), **found}))
"""


def interpreter(environment: Path) -> Path:
    """Return the environment's Python; it need not be there. Not resolved, as the link says whose packages it takes."""
    return environment.absolute() / "bin" / "python"


def make_environment(environment: Path) -> None:
    """Make the environment and install the pinned peers, from wherever pip is set up to install from.

    Raises
    ------
    CellgateError
        pip failed; the text is the last thing it said.
    """
    if not interpreter(environment).exists():
        venv.create(environment, with_pip=True, symlinks=True)
    command = [str(interpreter(environment)), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    done = subprocess.run(  # noqa: S603 - our own interpreter and requirements
        [*command, "-r", str(REQUIREMENTS)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CellgateError(f"peers: pip could not install {REQUIREMENTS.name}: {_last(done.stderr or done.stdout)}")


def peer_versions(environment: Path) -> dict[str, str]:
    """Return the versions of what is installed there; empty where there is no environment.

    Raises
    ------
    CellgateError
        Its Python cannot be run.
    """
    python = interpreter(environment)
    if not python.exists():
        return {}
    try:
        done = subprocess.run(  # noqa: S603 - the environment's interpreter, and a program of ours
            [str(python), "-I", "-c", _VERSIONS], capture_output=True, text=True, check=True, timeout=60
        )
        found: dict[str, str] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise CellgateError(f"peers: {python} cannot be used: {_last(str(error))}") from error
    return found


def own_python() -> Path:
    """Return the Python that runs the bench."""
    return Path(sys.executable)


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
