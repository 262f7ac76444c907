"""The figures of a classifier, as types; shares and errors are 0 to 1, None where nothing can be said."""

from __future__ import annotations

import msgspec

Interval = tuple[float, float]
"""Lower and upper end of a 95 % interval."""


class ErrorInterval(msgspec.Struct, frozen=True):
    """Two 95 % intervals of an accuracy: `normal` as Yao et al. 2019 give it, and Wilson's; see `_interval`."""

    normal: Interval
    wilson: Interval


class ClassFigures(msgspec.Struct, frozen=True):
    """One class against the rest: `cells` are truly of it, `predicted` were called it; the intervals are Wilson's."""

    name: str
    cells: int
    predicted: int
    precision: float | None
    precision_95: Interval | None
    recall: float | None
    recall_95: Interval | None
    f1: float | None
    roc_auc: float | None
    average_precision: float | None


class ReliabilityBin(msgspec.Struct, frozen=True):
    """Cells whose top probability is in [`low`, `high`): its mean beside the share that is right."""

    low: float
    high: float
    cells: int
    confidence: float | None
    accuracy: float | None
    accuracy_95: Interval | None


class CurvePoint(msgspec.Struct, frozen=True):
    """Deciding only cells of at least this top probability: how many that are, and how many of them are wrong."""

    threshold: float
    decided: int
    coverage: float
    error: float


class Suggestion(msgspec.Struct, frozen=True):
    """The lowest threshold that keeps the error among the decided cells to `wanted_error`.

    `threshold` does by the cells at hand, and is None where none does. `assured_threshold` keeps even the upper end of
    the error's Wilson interval to it, and so needs cells enough to say so.
    """

    wanted_error: float
    threshold: float | None
    decided: int
    coverage: float
    error: float | None
    error_95: Interval | None
    assured_threshold: float | None
    assured_decided: int
    assured_coverage: float


class Abstention(msgspec.Struct, frozen=True):
    """Share decided against error among the decided, by the threshold on the top probability.

    `area` under that curve: the error among the r surest cells, averaged over r (Geifman and El-Yaniv 2017).
    """

    area: float
    curve: list[CurvePoint]
    suggested: list[Suggestion]


class Weighted(msgspec.Struct, frozen=True):
    """An accuracy put together from the classes' own at a stated mix."""

    accuracy: float
    standard_error: float
    accuracy_95: Interval


class AtClassMix(msgspec.Struct, frozen=True):
    """What the accuracy would be if the classes came in the shares `mix`.

    `covered_share` is the share of the mix whose classes have cells; both accuracies are over that share alone, None
    where it is 0. `without_cells` are the other classes of the mix. `recall_weighted` takes the decisions as they are,
    `prior_corrected` after every probability was multiplied by mix / `prior`; `prior_from` says where that prior is
    from, and `prior_unknown` which classes it does not hold and were left as they are.
    """

    mix: dict[str, float]
    covered_share: float
    without_cells: list[str]
    recall_weighted: Weighted | None
    prior_corrected: Weighted | None
    prior: dict[str, float]
    prior_from: str
    prior_unknown: list[str]


class Figures(msgspec.Struct, frozen=True):
    """Everything `figures` computes; `merged` and `at_class_mix` where they were asked for."""

    classes: list[str]
    cells: int
    accuracy: float
    accuracy_95: ErrorInterval
    error: float
    error_half_width_95: float
    balanced_accuracy: float
    balanced_accuracy_95: Interval
    macro_f1: float
    recall: dict[str, float | None]
    per_class: list[ClassFigures]
    confusion: list[list[int]]
    confusion_normalised: list[list[float] | None]
    ece: float
    reliability: list[ReliabilityBin]
    nll: float
    brier: float
    abstention: Abstention
    at_class_mix: AtClassMix | None = None
    merged: Merged | None = None


class Merged(msgspec.Struct, frozen=True):
    """The task with classes merged: `figures` from summed probabilities.

    `accuracy_of_decisions` instead merges the decisions taken on the unmerged task. It is never below their accuracy;
    the accuracy from summed probabilities can be: 0.4 against 0.3 + 0.3.
    """

    merge: dict[str, list[str]]
    accuracy_of_decisions: float
    figures: Figures
