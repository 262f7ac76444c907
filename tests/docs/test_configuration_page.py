"""The configuration page states every field and its default, and its example shows them all."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from streamer.config import Bound, Config, GateSection, WaySection, parse_config

CONFIGURATION = (Path(__file__).parents[2] / "docs/configuration.md").read_text()


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
