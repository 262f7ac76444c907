"""The few things of OME-XML that a recording wants, taken without an XML parser: the text comes from a stranger."""

from __future__ import annotations

import html
import math
import re
from dataclasses import dataclass

_UM = {"m": 1e6, "mm": 1e3, "µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3}
_LIMIT = 1 << 18


@dataclass(frozen=True)
class Ome:
    """What an image description said: empty or None where it did not."""

    dataset: str = ""
    created: str = ""
    channel: str = ""
    pixel_um: float | None = None


def parse_ome(description: str) -> Ome:
    """Read the data set, the date, the channel name and the pixel size (square pixels only) of an OME description."""
    text = description[:_LIMIT]
    if "<OME" not in text:
        return Ome()
    pixels = _tag(text, "Pixels")
    created = re.search(r"<(?:CreationDate|AcquisitionDate)>\s*([^<]{1,64})<", text)
    edges = [_edge(pixels, axis) for axis in "XY"]
    pixel = edges[0] if edges[0] is not None and edges[0] == edges[1] else None
    return Ome(
        dataset=_attribute(_tag(text, "Dataset"), "Name"),
        created=html.unescape(created[1]).strip() if created else "",
        channel=_attribute(_tag(text, "Channel"), "Name"),
        pixel_um=pixel,
    )


def _tag(text: str, name: str) -> str:
    start = text.find(f"<{name} ")
    return text[start : text.find(">", start) + 1] if start >= 0 else ""


def _attribute(tag: str, name: str) -> str:
    match = re.search(rf'\s{name}="([^"]{{0,512}})"', tag)
    return html.unescape(match[1]).strip() if match else ""


def _edge(pixels: str, axis: str) -> float | None:
    """Return the edge of a pixel in µm; OME's unit is the micrometre where none is named."""
    unit = _UM.get(_attribute(pixels, f"PhysicalSize{axis}Unit") or "µm")
    try:
        edge = float(_attribute(pixels, f"PhysicalSize{axis}"))
    except ValueError:
        return None
    return edge * unit if unit is not None and math.isfinite(edge) and edge > 0 else None
