"""The house keeps its own rules: everything pinned, no place of someone's machine, nothing reported to anyone."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def pins() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    found = [
        re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][A-Za-z0-9.]*)", line) for line in lines if line[:1] not in ("#", "")
    ]
    assert all(found), "a line that is no exact pin"
    names = [canonicalize_name(match[1]) for match in found]
    assert len(set(names)) == len(names)
    return {name: match[2] for name, match in zip(names, found, strict=True)}


def test_every_declared_dependency_is_pinned_to_a_version_it_allows():
    declared = PROJECT["dependencies"] + [text for group in PROJECT["optional-dependencies"].values() for text in group]
    # Of the GPU extra nothing can be installed where the pins are made.
    gpu = set(PROJECT["optional-dependencies"].get("gpu", ()))
    pinned = pins()
    for requirement in map(Requirement, sorted(set(declared) - gpu)):
        name = canonicalize_name(requirement.name)
        if name == "cellgate":  # an extra that brings in others
            continue
        assert name in pinned, f"{name} is not in constraints.txt"
        assert requirement.specifier.contains(pinned[name]), f"{requirement} does not allow {pinned[name]}"


def test_constraints_name_no_place_to_install_from():
    assert "://" not in (REPOSITORY / "constraints.txt").read_text()


def test_no_file_names_a_place_on_someones_machine():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    places = re.compile(rb"(?<![\w.$}/-])/(?:work|root|home)/\w")
    for name in filter(None, listing.stdout.split(b"\0")):
        path = REPOSITORY / name.decode()
        if path.is_file() and (found := places.search(path.read_bytes())):
            pytest.fail(f"{path.relative_to(REPOSITORY)}: {found[0].decode()}…")


@pytest.mark.parametrize("module", ["engines.backends._openvino", "engines.training._parity", "bench.engine_choice"])
def test_openvino_does_not_report_its_use(module):
    if module == "engines.training._parity" and importlib.util.find_spec("torch") is None:
        pytest.skip("needs PyTorch")
    program = (
        f"import sys, {module}\n"
        "print([name for name in sys.modules if name.startswith('openvino_telemetry') and sys.modules[name]])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
