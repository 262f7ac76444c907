"""docs/protocol.md says what the code does: every message, field, reason, offset and example."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from streamer.vocabulary import Account, Reason, Rejection
from streamer.wire import (
    DECISION,
    FromCytometer,
    FromSorter,
    Schema,
    ToCytometer,
    ToSorter,
    schema_hash,
)

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
VECTORS = json.loads((ROOT / "tests" / "vectors" / "v1.json").read_text(encoding="utf-8"))
MESSAGES = {vector["name"]: vector for vector in VECTORS["messages"]}
TYPES = {
    struct.__struct_config__.tag: struct
    for union in (FromCytometer, FromSorter, ToCytometer, ToSorter)
    for struct in get_args(union)
}


def section(title: str) -> str:
    """Return what stands under a heading, to the next one of any level."""
    match = re.search(rf"^##+ {re.escape(title)}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert match, f"no section {title!r}"
    return match[1]


def rows(text: str, column: int = 0) -> list[str]:
    """Return a column of the tables in `text`, without backticks, header and rule."""
    cells = [line.split("|")[column + 1].strip() for line in text.splitlines() if line.startswith("|")]
    return [cell.strip("`") for cell in cells if cell.startswith("`")]


def test_the_page_is_of_this_version() -> None:
    assert PAGE.startswith(f"# The wire protocol, version {VECTORS['protocol']}\n")


@pytest.mark.parametrize("tag", TYPES)
def test_every_message_has_a_table_of_its_fields(tag: str) -> None:
    fields = [field.encode_name for field in msgspec.structs.fields(TYPES[tag])]
    listed = rows(section(f"`{tag}`"))
    if tag == "start":
        assert listed == ["type", *fields, *(field.encode_name for field in msgspec.structs.fields(Schema))]
    else:
        assert listed == ["type", *fields]


def test_the_account() -> None:
    assert rows(section("Account")) == [field.encode_name for field in msgspec.structs.fields(Account)]


def test_the_record() -> None:
    table = [line.split("|")[1:5] for line in section("Decision record").splitlines() if line.count("|") == 6]
    listed = [(field.strip(" `"), int(offset), int(size)) for offset, size, _, field in table[2:]]
    names = DECISION.names or ()
    assert DECISION.fields is not None
    assert listed == [(name.rstrip("_"), DECISION.fields[name][1], DECISION[name].itemsize) for name in names]


def test_the_reasons() -> None:
    assert rows(section("Decision record"), 1) == [reason.label for reason in Reason]


def test_the_rejections() -> None:
    assert rows(section("Mistakes")) == [rejection.value for rejection in Rejection]


def test_the_example_of_a_schema_hash() -> None:
    schema = Schema(channels=("brightfield", "PI"), dtype="uint16", timebase=(1, 10**9), shape=(64, 48))
    assert f"{schema_hash(schema):#018x}" in section("`start`")


def test_the_worked_example_is_in_the_vectors() -> None:
    blocks = re.findall(r"```hex\n# (\w+) (\w+)\n(.*?)```", PAGE, re.DOTALL)
    expected = {
        "vector": lambda vector: vector["header"],
        "part": lambda vector: vector["parts"][0],
        "record": lambda vector: vector["parts"][0][:80],
    }
    assert [kind for kind, _, _ in blocks] == ["vector", "vector", "part", "record"]
    for kind, name, text in blocks:
        digits = re.sub(r"#.*", "", text)
        assert re.sub(r"\s", "", digits) == expected[kind](MESSAGES[name])


def anchors(page: str) -> set[str]:
    """Return what the headings of a page can be linked to by."""
    titles = re.findall(r"^##+ (.*)$", page, re.M)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        file, _, anchor = target.partition("#")
        assert not file or (ROOT / "docs" / file).exists()
        if anchor:
            assert anchor in anchors((ROOT / "docs" / file).read_text(encoding="utf-8") if file else PAGE)
