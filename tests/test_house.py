"""The house keeps its own rules: pins, Dockerfile, links, commands, configuration page, decision records."""

import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import pytest
import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from streamer.cli import PLUGINS, app
from streamer.config import Bound, Config, GateSection, WaySection, parse_config

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
PAGES = sorted(
    path for path in (*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")) if "node_modules" not in str(path)
)


# Pins


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


# Dockerfile


def instructions() -> list[tuple[str, str]]:
    lines = [line for line in (REPOSITORY / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [
        (word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)
    ]


def test_the_dockerfile_parses_and_has_its_targets():
    known = {
        "FROM",
        "RUN",
        "CMD",
        "LABEL",
        "EXPOSE",
        "ENV",
        "ADD",
        "COPY",
        "ENTRYPOINT",
        "VOLUME",
        "USER",
        "WORKDIR",
        "ARG",
        "HEALTHCHECK",
        "STOPSIGNAL",
    }
    stages = []
    for word, rest in instructions():
        assert word in known, word
        if word == "FROM":
            image, keyword, stage = shlex.split(rest)
            assert keyword.upper() == "AS"
            assert image in stages or re.fullmatch(r"[a-z/]+:[A-Za-z0-9._-]+", image), f"{image}: a tag, no registry"
            assert not image.endswith(":latest")
            stages.append(stage)
    assert {"cpu", "gpu"} <= set(stages)


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_images_run_as_nobody_special_and_expose_nothing(target):
    stage, found = "", {}
    for word, rest in instructions():
        if word == "FROM":
            stage = shlex.split(rest)[2]
        elif stage == target:
            found[word] = rest
    assert found["USER"].isdecimal() and found["USER"] != "0"
    assert "EXPOSE" not in found
    assert {"HEALTHCHECK", "ENTRYPOINT", "CMD", "VOLUME"} <= found.keys()


def test_what_the_dockerfile_copies_is_there_and_reaches_the_builder():
    stages: set[str] = set()
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    for word, rest in instructions():
        if word == "FROM":
            stages.add(shlex.split(rest)[2])
        if word != "COPY":
            continue
        *sources, _ = shlex.split(rest)
        if sources[0].startswith("--from="):
            assert sources[0].removeprefix("--from=") in stages
            continue
        for source in sources:
            assert (REPOSITORY / source).exists(), source
            assert any(line.startswith(f"!{source.rstrip('/')}") for line in ignored), f"{source} is in .dockerignore"


# Pages


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_commands_that_pages_mention_exist(page):
    text = page.read_text()
    code = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE) + re.findall(r"`([^`\n]+)`", text)
    mentioned = {name for part in code for name in re.findall(r"(?<![\w-])cellgate ([a-z][a-z-]*)", part)}
    known = set(typer.main.get_command(app).commands) | {plugin.name for plugin in entry_points(group=PLUGINS)}
    assert mentioned <= known, mentioned - known


def test_decision_records_are_numbered_one_by_one_and_listed():
    records = sorted(path.name for path in (REPOSITORY / "docs/decisions").glob("*.md"))
    numbers = [int(re.fullmatch(r"(\d{3})-[a-z0-9-]+\.md", name)[1]) for name in records]
    assert numbers == list(range(1, len(records) + 1))
    index = (REPOSITORY / "docs/README.md").read_text()
    for number, name in zip(numbers, records, strict=True):
        assert (REPOSITORY / "docs/decisions" / name).read_text().startswith(f"# {number:03d}. ")
        assert f"(decisions/{name})" in index


def test_no_file_names_a_place_on_someones_machine():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    places = re.compile(rb"(?<![\w.$}/-])/(?:work|root|home)/\w")
    for name in filter(None, listing.stdout.split(b"\0")):
        path = REPOSITORY / name.decode()
        if path.is_file() and (found := places.search(path.read_bytes())):
            pytest.fail(f"{path.relative_to(REPOSITORY)}: {found[0].decode()}…")


# The configuration page


CONFIGURATION = (REPOSITORY / "docs/configuration.md").read_text()


def example() -> dict[str, object]:
    return tomllib.loads(re.search(r"^```toml\n(.*?)^```", CONFIGURATION, re.DOTALL | re.MULTILINE)[1])


def rows(heading: str) -> dict[str, str]:
    """Return the fields and defaults of the tables under a heading."""
    section = CONFIGURATION.split(f"\n## `{heading}`\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", section, re.MULTILINE))


def stated(field: msgspec.structs.FieldInfo) -> str:
    """Return a field's default as the page states it."""
    if field.required:
        return "required"
    if field.default is None:
        return "none"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{msgspec.json.encode(value).decode().replace(',', ', ')}`"


def test_the_example_is_a_configuration_and_shows_every_field():
    config = parse_config(example(), "docs/configuration.md", Path())
    for section in msgspec.structs.fields(Config):
        shown = example()[section.name]
        if section.name == "way":
            fields = {field.name for field in msgspec.structs.fields(WaySection)}
            assert {key for way in shown.values() for key in way} == fields
        elif section.name != "gate":
            assert set(shown) == {field.name for field in msgspec.structs.fields(section.type)}, section.name
    assert {key for gate in config.gate for bound in gate.where.values() for key in msgspec.structs.asdict(bound)}


@pytest.mark.parametrize(
    "section", [field for field in msgspec.structs.fields(Config) if field.name not in ("gate", "way")]
)
def test_every_field_is_on_the_page_with_its_default(section):
    assert rows(f"[{section.name}]") == {field.name: stated(field) for field in msgspec.structs.fields(section.type)}, (
        section.name
    )


def test_every_field_of_a_gate_is_on_the_page():
    fields = (*msgspec.structs.fields(GateSection), *msgspec.structs.fields(Bound))
    assert rows("[[gate]]") == {field.name: stated(field) for field in fields}


def test_every_field_of_a_way_is_on_the_page():
    assert rows("[way.NAME]") == {field.name: stated(field) for field in msgspec.structs.fields(WaySection)}


def test_the_python_examples_configuration_is_one():
    path = REPOSITORY / "docs/examples/python/config.toml"
    parse_config(tomllib.loads(path.read_text()), path, path.parent)


# What Cellgate talks to


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


# The Python examples


def test_camera_and_sorter_examples_sort_a_series(toy_bundle, tmp_path):
    import numpy as np

    from tests.support.running import Running
    from tests.support.toy import CHANNELS, toy_frames

    cells = tmp_path / "cells.npz"
    np.savez(cells, frames=toy_frames(np.arange(300) % 3), channels=np.array(CHANNELS))
    examples = REPOSITORY / "docs/examples/python"
    with Running(tmp_path, toy_bundle.path) as streamer:
        sorter = subprocess.Popen(
            [sys.executable, "-u", examples / "sorter.py", "--from", streamer.decisions],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert sorter.stdout.readline().startswith("waiting")
            camera = subprocess.run(
                [sys.executable, examples / "camera.py", "--cells", cells, "--to", streamer.cells, "--rate", "1000"],
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            )
            told, _ = sorter.communicate(timeout=60)
        finally:
            sorter.kill()
            sorter.wait()
        assert streamer.stop() == 0
    assert "sent 300 = decided 300 + missing 0" in camera.stdout
    assert "decided 300 = kept 200 + not kept {'not_in_gate': 100}" in camera.stdout
    assert "kept 200 of 300 decided" in told


def test_a_network_of_logits_becomes_a_bundle(tmp_path):
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from engines.backends import open_engine
    from engines.bundle import load_bundle

    weights = np.array([[1, -1], [0.5, 2]], np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["x"], ["p"]),
            helper.make_node("Flatten", ["p"], ["f"]),
            helper.make_node("MatMul", ["f", "w"], ["y"]),
        ],
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, 6, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "n.onnx")
    script = REPOSITORY / "docs/examples/python/wrap_onnx.py"
    options = ["--classes", "alive,dead", "--channels", "a,b", "--offset", "100", "--scale", "400"]
    command = [sys.executable, script, tmp_path / "n.onnx", "--out", tmp_path / "mine", *options]
    subprocess.run(command, check=True, capture_output=True)

    engine = open_engine(load_bundle(tmp_path / "mine"), ladder=(4,))
    frames = np.random.default_rng(0).integers(0, 2000, (4, 2, 6, 4)).astype(np.uint16)
    engine.submit(frames)
    answer = engine.collect(30.0)
    engine.close()
    means = frames.mean((2, 3))
    scores = ((means - 100) / 400) @ weights
    expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    np.testing.assert_allclose(answer.probabilities, expected, atol=1e-5)
    np.testing.assert_allclose(answer.measurements, means, rtol=1e-6)
    np.testing.assert_allclose(answer.embedding, scores, atol=1e-4)
