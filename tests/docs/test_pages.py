"""Every page: its links lead somewhere, the commands it mentions exist, the decision records are all listed."""

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import typer

from streamer.cli import PLUGINS, app

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted(
    path for path in (*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")) if "node_modules" not in str(path)
)


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
