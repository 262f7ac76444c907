"""Names in Gating-ML 2.0 files: namespaces, identifiers, and the transformations that are scales here."""

from __future__ import annotations

import re

from engines.errors import InputError

GATING = "http://www.isac-net.org/std/Gating-ML/v2.0/gating"
TRANSFORMS = "http://www.isac-net.org/std/Gating-ML/v2.0/transformations"
DATATYPES = "http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"
CELLGATE = "urn:cellgate:gates:1"
"""Of the attributes `way` and `priority` of a gate, which the standard has no words for and lets others add."""

PREFIXES = {"gating": GATING, "transforms": TRANSFORMS, "data-type": DATATYPES, "cellgate": CELLGATE}
SCALE_ELEMENTS = {"flin": "linear", "flog": "log", "logicle": "logicle", "fasinh": "asinh"}
"""Gating-ML's element → our `kind`."""

_PLAIN_ID = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def id_of(name: str) -> str:
    """Return a gate's name as an XML identifier, in which a space or a leading digit cannot stand as they are.

    Such characters become `_xHHHH_` with their code, as SQL/XML (ISO 9075-14) writes names; so does an underscore that
    would look like the start of one.
    """
    escaped = re.sub(r"_(?=x[0-9A-Fa-f]{4})", "_x005F_", name).replace(" ", "_x0020_")
    if not _PLAIN_ID.fullmatch(escaped):
        escaped = f"_x{ord(escaped[0]):04X}_{escaped[1:]}"
    return escaped


def name_of(identifier: str) -> str:
    """Return the name that an identifier stands for, the reverse of `id_of`."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), identifier)


def short(tag: str) -> str:
    """Return a tag or attribute such as `{http://…/gating}RectangleGate` with the prefix people know."""
    for prefix, namespace in PREFIXES.items():
        if tag.startswith(f"{{{namespace}}}"):
            return f"{prefix}:{tag[len(namespace) + 2 :]}"
    return tag


def number(text: str | None, source: object, field: str) -> float:
    """Return a finite number that an attribute or element says."""
    try:
        value = float(text or "")
    except ValueError:
        raise InputError(source, field, text or "nothing", "a number") from None
    if not abs(value) < float("inf"):
        raise InputError(source, field, text, "a finite number")
    return value
