"""Gates as the configuration has them. `docs/gating.md` explains every form.

These are plain values: a Gating-ML file is read into the same types, and `streamer.decision` compiles them for a
bundle. All numbers of a region are in the units of its scale, as in Gating-ML 2.0.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}\Z")]
Operand = Annotated[str, Meta(pattern=r"^!?[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}\Z")]
"""A gate's name; `!` before it stands for its complement."""
MAX_VERTICES = 1000
_LARGEST = 1.7976931348623157e308
Finite = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
Positive = Annotated[float, Meta(gt=0, le=_LARGEST)]
NotNegative = Annotated[float, Meta(ge=0, le=_LARGEST)]
Row = Annotated[tuple[Finite, ...], Meta(min_length=2, max_length=64)]


class Bound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A span of one dimension: `min` is inside, `max` is outside; without one that side is open."""

    min: Finite | None = None
    max: Finite | None = None


class Polygon(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A polygon over two dimensions; its edges are inside. `vertices` in order, `((x, y), …)`."""

    x: str
    y: str
    vertices: Annotated[tuple[tuple[Finite, Finite], ...], Meta(min_length=3, max_length=MAX_VERTICES)]


class Ellipsoid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All points whose squared Mahalanobis distance from `mean` is at most `distance_squared`; n ≥ 2 dimensions.

    `covariance` is `(n, n)`, symmetric and positive definite.
    """

    dimensions: Annotated[tuple[str, ...], Meta(min_length=2, max_length=64)]
    mean: Row
    covariance: Annotated[tuple[Row, ...], Meta(min_length=2, max_length=64)]
    distance_squared: Positive


class Linear(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="linear"):
    """Gating-ML's flin: (x + A) / (T + A), with 0 ≤ A ≤ T. A dimension without a scale is taken as it is."""

    T: Positive
    A: NotNegative = 0.0


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="log"):
    """Gating-ML's flog: log10(x / T) / M + 1; a value of 0 or less is outside every region."""

    T: Positive
    M: Positive


class Logicle(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="logicle"):
    """The logicle scale: T top of scale, W linear width and M width in decades, A more negative decades."""

    T: Positive
    W: NotNegative = 0.5
    M: Annotated[float, Meta(ge=0.1, le=1000)] = 4.5
    A: Finite = 0.0


class Asinh(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="asinh"):
    """Gating-ML's fasinh: (asinh(x·sinh(M·ln10)/T) + A·ln10) / ((M + A)·ln10), with 0 ≤ A ≤ M."""

    T: Positive
    M: Positive
    A: NotNegative = 0.0


Scale = Linear | Log | Logicle | Asinh


class GateSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A gate: a named region, and with a `way` where its cells go.

    It has one kind of region: `where` and `classes` (each alone or both), `polygon`, `ellipsoid`, or one of `all_of`,
    `any_of` and `none_of` over other gates. With a `parent` only cells of that gate are in it. Sorting gates (those
    with a way) are asked by `priority`, higher first, then in the order of the file; the first that holds the cell
    decides. A gate without a way is there to be a parent or a part.
    """

    name: Name
    way: Name | None = None
    where: Annotated[dict[str, Bound], Meta(min_length=1)] | None = None
    classes: Annotated[tuple[str, ...], Meta(min_length=1)] | None = None
    polygon: Polygon | None = None
    ellipsoid: Ellipsoid | None = None
    all_of: Annotated[tuple[Operand, ...], Meta(min_length=2)] | None = None
    any_of: Annotated[tuple[Operand, ...], Meta(min_length=2)] | None = None
    none_of: Annotated[tuple[Name, ...], Meta(min_length=1)] | None = None
    scale: Annotated[dict[str, Scale], Meta(min_length=1)] | None = None
    parent: Name | None = None
    priority: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)] = 0

    @property
    def operands(self) -> tuple[str, ...]:
        """The gates a boolean gate is made of, `!` before those that count as their complement."""
        return self.all_of or self.any_of or self.none_of or ()

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The features its region is drawn over, in order."""
        if self.polygon is not None:
            return (self.polygon.x, self.polygon.y)
        if self.ellipsoid is not None:
            return self.ellipsoid.dimensions
        return tuple(self.where or ())
