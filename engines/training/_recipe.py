"""A training recipe: every number that shapes the result, with the source of the ones that have one."""

from __future__ import annotations

from dataclasses import dataclass

from engines.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes
    ----------
    epochs, batch
        Passes over the training cells, cells per step.
    learning_rate, warmup, momentum, weight_decay
        Nesterov SGD; the rate rises from 1/25 of its peak over the `warmup` share of the steps, then falls along
        a cosine (one cycle, Smith & Topin 2019). Momentum and decay are Eulenberg et al.'s.
    label_smoothing
        Share of the target spread over all classes (Szegedy et al. 2016).
    class_power
        A cell of class k weighs `n_k ** -class_power`: 0 leaves the mix as it is, 1 balances it fully. The
        logits are corrected for it afterwards by `prior_correction` (0 not at all, 1 fully), so that the exported
        probabilities speak of the mix of the training cells.
    guide_weight
        Weight of the second head's squared error where a guide channel is given.
    ema
        Decay per step of the running mean of the weights, which is what is validated and exported.
    clip
        Standardised counts are held within ±clip: one hot pixel must not rule the first layer.
    rotate, shift, gain, offset
        Augmentation: share of cells turned by any angle (the others by multiples of 90° only), largest shift in
        pixels, standard deviation of a channel's log gain, standard deviation of its offset (in units of its
        standard deviation).
    validation, test
        Shares of all cells held out to pick and calibrate (validation) and to report (test).
    bfloat16
        Compute forward and backward passes in bfloat16, the weights staying float32: about 1.6 times as fast
        on processors with AVX-512 BF16.
    """

    epochs: int = 80
    batch: int = 64
    learning_rate: float = 0.05
    warmup: float = 0.25
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.02
    class_power: float = 0.5
    prior_correction: float = 0.5
    guide_weight: float = 0.3
    ema: float = 0.998
    clip: float = 10.0
    rotate: float = 0.5
    shift: float = 2.0
    gain: float = 0.03
    offset: float = 0.01
    validation: float = 0.1
    test: float = 0.2
    bfloat16: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers that no run could use, by the name of the first."""
        rules = (
            ("epochs", self.epochs >= 1, "1 or more"),
            ("batch", self.batch >= 2, "2 or more: batch norm needs two cells"),
            ("learning_rate", self.learning_rate > 0, "above 0"),
            ("warmup", 0 < self.warmup < 1, "between 0 and 1"),
            ("clip", self.clip > 0, "above 0"),
            ("validation", 0 <= self.validation < 1, "0 or more, below 1"),
            ("test", 0 <= self.test < 1 - self.validation, "0 or more, with validation below 1"),
        )
        for field, good, expected in rules:
            if not good:
                raise InputError("recipe", field, getattr(self, field), expected)
