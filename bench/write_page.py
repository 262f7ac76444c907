"""Put the figures of result files into docs/performance.md, between its two marks; nothing else of the page changes.

python -m bench.write_page bench/results/all.json [more.json …]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table

from bench.suite import ALONE, BENCHES
from engines.errors import CellgateError, InputError

PAGE = Path("docs/performance.md")
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def main() -> None:
    """Write the page, or say in one line why not."""
    try:
        write_page(PAGE, [Path(name) for name in sys.argv[1:]])
    except CellgateError as error:
        sys.exit(f"write_page: {error}")


def write_page(page: Path, results: list[Path]) -> None:
    """Replace what stands between the page's marks by the tables of these result files.

    Raises
    ------
    InputError
        The page has not both marks, or a file is no result.
    """
    text = page.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(page, "marks", "not both", f"{BEGIN} and, behind it, {END}")
    figures = "\n\n".join(block for path in results for block in _blocks(path))
    page.write_text(f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}" if figures else f"{before}{BEGIN}\n{END}{after}")


def _blocks(path: Path) -> Iterator[str]:
    try:
        report: dict[str, Any] = msgspec.json.decode(path.read_bytes())
        results = report["results"] if report["bench"] == "all" else {report["bench"]: report}
        where = report["environment"]
    except OSError as error:
        raise InputError(path, "result", error.strerror or str(error), "a file that can be read") from error
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise InputError(path, "result", repr(error), "JSON, as `cellgate bench … --json` writes it") from error
    yield f"### `{path.name}`"
    load = ", ".join(f"{value:g}" for value in where["load_average"])
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    yield (
        f"`{report['command']}`, {report['date'][:10]}. {where['processor']}, {where['cores']} cores, "
        f"governor {where['governor']}, load before {load}; {versions}."
    )
    for name, figures in results.items():
        for table in import_module({**BENCHES, **ALONE}[name]).tables(figures):
            yield markdown(table)


def markdown(table: Table) -> str:
    """Return a rich table as one of Markdown, its title above it."""
    columns = [[str(column.header), *map(str, column.cells)] for column in table.columns]
    head, *rows = ["| " + " | ".join(row) + " |" for row in zip(*columns, strict=True)]
    rule = "|" + "|".join("---" if column.justify == "left" else "---:" for column in table.columns) + "|"
    return "\n".join([f"**{table.title}**", "", head, rule, *rows])


if __name__ == "__main__":
    main()
