"""The Dockerfile: its targets, who runs in them, and that what it copies is there."""

import re
import shlex
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


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
