"""Write v1.json, the test vectors of wire protocol version 1.

    python -m tests.vectors.make

Nothing of Cellgate is imported: MessagePack, CRC-32 and the schema hash are written out beside this file
from their specifications, so that the vectors test Cellgate's own code instead of repeating it. Whoever implements the
protocol in another language needs v1.json alone; docs/protocol.md tells what stands in it.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.vectors.bad import bad_messages
from tests.vectors.bytes_by_hand import crc32
from tests.vectors.good import good_messages
from tests.vectors.schemas import SCHEMAS, Vector, schema_hash, schema_text

VECTORS = Path(__file__).with_name("v1.json")


def document() -> Vector:
    """Return all vectors."""
    schemas = [
        {"name": name, "schema": schema, "text": schema_text(schema), "hash": schema_hash(name)}
        for name, schema in SCHEMAS.items()
    ]
    checks = [{"hex": text.encode().hex(), "crc32": crc32(text.encode())} for text in ("", "123456789", "cellgate")]
    return {
        "protocol": 1,
        "schemas": schemas,
        "crc32": checks,
        "messages": good_messages(),
        "bad": bad_messages(),
    }


def text() -> str:
    """Return the text of v1.json: one line per vector, so that changes can be read."""
    sections = []
    for key, value in document().items():
        if isinstance(value, list):
            lines = ",\n  ".join(json.dumps(item, ensure_ascii=False) for item in value)
            sections.append(f'"{key}": [\n  {lines}\n ]')
        else:
            sections.append(f'"{key}": {json.dumps(value)}')
    return "{\n " + ",\n ".join(sections) + "\n}\n"


if __name__ == "__main__":
    VECTORS.write_text(text(), encoding="utf-8")
