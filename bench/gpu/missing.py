"""Print what Cellgate needs for the GPU's bench and this Python lacks, a line each, as `pip install` takes it.

It runs before anything is installed, with nothing but Python. PyTorch is left out: it must be the one for CUDA.
"""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

EXTRAS = ("torch", "train")


def missing() -> list[str]:
    """Return the requirements that no installed package has the name of."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(need for extra in EXTRAS for need in project["optional-dependencies"][extra])]
    return [need for need in dict.fromkeys(wanted) if _name(need) != "torch" and not _installed(_name(need))]


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    for need in missing():
        print(need)
