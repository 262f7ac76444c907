"""What a comparison of an engine with the reference found, and what is too much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from engines.errors import EngineError

MIN_CELLS = 200
"""With fewer cells a single changed class is already over the limit, and none at all says little."""


@dataclass(frozen=True)
class Limits:
    """What is refused when it is exceeded.

    Attributes
    ----------
    changed_share
        Of cells whose most probable class is another one.
    changed_decision_share
        Of cells that some gate decides otherwise.
    accuracy_loss
        Accuracy of the reference less that of the engine, where cells are labelled.
    mean_probability_error
        Mean over cells and classes of the absolute difference of the probabilities.
    """

    changed_share: float
    changed_decision_share: float
    accuracy_loss: float
    mean_probability_error: float


LIMITS: Mapping[str, Limits] = {
    "fp32": Limits(0.001, 0.001, accuracy_loss=0.001, mean_probability_error=0.0005),
    "fp16": Limits(0.002, 0.003, accuracy_loss=0.002, mean_probability_error=0.001),
    "int8": Limits(0.005, 0.01, accuracy_loss=0.003, mean_probability_error=0.005),
}
"""By precision. A changed class is a wrong decision on a cell that the reference decides rightly, or the reverse; gates
have more borders than classes, and so change more."""


@dataclass(frozen=True)
class Verdict:
    """How far an engine's answers are from the reference's.

    Attributes
    ----------
    engine, reference
        Their names.
    cells
        How many were compared.
    changed_classes, changed_share
        Cells whose most probable class is another one.
    max_probability_error, mean_probability_error
        Absolute differences of the probabilities, over cells and classes.
    max_relative_embedding_error, max_relative_measurement_error
        Largest difference relative to the reference's largest value of that column.
    decisions
        For each decision of the judge, cells on which the two differ.
    changed_decisions, changed_decision_share
        Cells on which they differ in any of them.
    labelled, accuracy, reference_accuracy
        Cells with a label of the bundle's classes, and the share of them that is right; None where there are none.
    finite
        Whether every answer of the engine is a number.
    limits
        What was asked for.
    """

    engine: str
    reference: str
    cells: int
    changed_classes: int
    changed_share: float
    max_probability_error: float
    mean_probability_error: float
    max_relative_embedding_error: float
    max_relative_measurement_error: float
    decisions: Mapping[str, int]
    changed_decisions: int
    changed_decision_share: float
    labelled: int
    accuracy: float | None
    reference_accuracy: float | None
    finite: bool
    limits: Limits

    @property
    def refusals(self) -> tuple[str, ...]:
        """What is over its limit, one phrase each; empty where the engine answers as the reference does."""
        if not self.finite:
            return ("answers that are no numbers",)
        limits, found = self.limits, []
        if self.changed_share > limits.changed_share:
            found.append(
                f"{self.changed_classes} changed classes ({self.changed_share:.2%}, at most {limits.changed_share:.2%})"
            )
        if self.changed_decision_share > limits.changed_decision_share:
            share, most = self.changed_decision_share, limits.changed_decision_share
            found.append(f"{self.changed_decisions} changed gate decisions ({share:.2%}, at most {most:.2%})")
        if self.mean_probability_error > limits.mean_probability_error:
            found.append(
                f"mean probability error {self.mean_probability_error:.2g} (at most {limits.mean_probability_error:g})"
            )
        if self.accuracy is not None and self.reference_accuracy is not None:
            loss = self.reference_accuracy - self.accuracy
            if loss > limits.accuracy_loss:
                found.append(
                    f"accuracy {self.accuracy:.4f} instead of {self.reference_accuracy:.4f} "
                    f"(a loss of at most {limits.accuracy_loss:g})"
                )
        return tuple(found)

    @property
    def passed(self) -> bool:
        """Whether nothing is over its limit."""
        return not self.refusals

    def require(self) -> None:
        """Raise `EngineError` with the figures unless it passed."""
        if self.refusals:
            found = "; ".join(self.refusals)
            raise EngineError(f"{self.engine} does not answer as {self.reference} does on {self.cells} cells: {found}")

    def figures(self) -> dict[str, object]:
        """Return it all for JSON and for a bundle's metrics."""
        return {**asdict(self), "passed": self.passed, "refusals": list(self.refusals)}
