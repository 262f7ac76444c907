"""Parse XML that may come from anywhere: no document type, no entities of its own, a bounded size and depth."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from engines.errors import InputError

MAX_BYTES = 4 << 20
MAX_DEPTH = 32
MAX_ELEMENTS = 200_000


def parse_xml(raw: bytes, source: object) -> ET.Element:
    """Return the root element; `InputError` for what is not XML, is too large, or declares a document type.

    Without a document type there are no entities to expand or to fetch. UTF-8 only, so that the check reads what the
    parser reads.
    """
    if len(raw) > MAX_BYTES:
        raise InputError(source, "size", f"over {MAX_BYTES >> 20} MiB", "a Gating-ML file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(source, "encoding", str(error), "UTF-8") from None
    _refuse_declarations(text, source)
    builder = _BoundedBuilder(source)
    parser = ET.XMLParser(target=builder, encoding="utf-8")  # noqa: S314 - see _refuse_declarations
    try:
        parser.feed(text.encode())
        root: ET.Element = parser.close()
    except ET.ParseError as error:
        raise InputError(source, "XML", str(error), "well-formed XML") from None
    except (ValueError, LookupError) as error:
        raise InputError(source, "XML", str(error), "well-formed XML in UTF-8") from None
    return root


def _refuse_declarations(text: str, source: object) -> None:
    if re.search(r"<!(DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)", text, re.IGNORECASE):
        raise InputError(source, "XML", "a document type or entity declaration", "XML without one")


class _BoundedBuilder(ET.TreeBuilder):
    """Builds the tree and stops early when it grows too deep or too large."""

    def __init__(self, source: object) -> None:
        super().__init__()
        self._source = source
        self._depth = self._count = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise InputError(self._source, "XML", "elements too deep or too many", "a Gating-ML file")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ET.Element:
        self._depth -= 1
        return super().end(tag)
