"""A training recipe: every number that shapes the result, with the source of the ones that have one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engines.errors import InputError

Normalise = Literal["scale", "percentile", "quantile"]
Optimiser = Literal["sgd", "adam"]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes
    ----------
    epochs, batch
        Passes over the training cells, cells per step.
    optimiser
        `sgd` (Nesterov) or `adam` (Kingma & Ba 2015, with decoupled weight decay), which Kraus et al. use.
    learning_rate, warmup, momentum, weight_decay
        The rate rises from 1/25 of its peak over the `warmup` share of the steps, then falls along
        a cosine (one cycle, Smith & Topin 2019). Momentum and decay are Eulenberg et al.'s.
    patience
        Stop when the validation likelihood has not improved for this many epochs; 0 never stops early. With one
        cycle the last epochs are the best ones, so this is for runs that overfit.
    label_smoothing
        Share of the target spread over all classes (Szegedy et al. 2016).
    class_power, sampling_power
        Two ways to serve rare classes. A cell of class k weighs `n_k ** -class_power` in the loss, and is drawn
        with a probability proportional to `n_k ** -sampling_power`: 0 leaves the mix as it is, 1 balances it fully.
        Both shift the logits, which is taken back by the calibration (`prior_floor`).
    prior_balance, prior_floor
        Which mix of classes the exported probabilities take for granted: the training cells' shares to the power
        1 − `prior_balance` (0 their own mix, 1 all classes alike), and no class rarer than `prior_floor`. At the
        own mix accuracy is highest and level, so that a little balance costs hardly any of it and finds more of the
        rarer classes; and a class of 0.2 % that is taken for 0.2 % is hardly ever called, though often the one looked
        for. docs/training.md has the trade-off measured.
    guide_weight, guide_image_weight
        Weights of the guide's squared errors where a guide channel is given: of its measurements, and of its
        picture, at four times the resolution of the network's last maps.
    mixup
        Parameter of the beta distribution by which pairs of cells are blended (Zhang et al. 2018); 0 for none.
    dropout
        Share of the embedding left out while training, before the last layer.
    distil_weight, distil_temperature
        With a teacher: share of the loss that follows the teacher's probabilities and not the label, and the
        temperature at which they are compared (Hinton et al. 2015).
    ema
        Decay per step of the running mean of the weights, which is what is validated and exported.
    normalise
        Beyond background and scale, inside the graph: `scale` nothing; `percentile` per cell and channel, clip at
        the 99.9 percentile, subtract the 0.1 percentile, divide by the range (Kraus et al. 2017); `quantile` brings
        each cell's and channel's distribution of values to the training cells' mean one (after Yao et al. 2019).
    clip
        Standardised counts are held within ±clip: one hot pixel must not rule the first layer.
    rotate, shift, gain, offset, noise, blur, background
        Augmentation: share of cells turned by any angle (the others by multiples of 90° only), largest shift in
        pixels, standard deviation of a channel's log gain, of its offset and of added pixel noise (in units of the
        channel's root mean square), largest standard deviation of a Gaussian blur in pixels (focus), and
        standard deviation of a smooth artificial background (same units; Yao et al. 2019).
    members
        Networks that are trained, one after the other, and answer together with the mean of their logits: an ensemble
        (Lakshminarayanan et al. 2017). It costs that many times the training and the engine time.
    symmetries
        Of the exported graph: the mean over this many of the square's symmetries (1, 2, 4 or 8) is its answer.
        It costs that many times the engine time.
    validation, test
        Shares of all cells held out to pick and calibrate (validation) and to report (test).
    bfloat16
        Compute forward and backward passes in bfloat16, the weights staying float32: 1.5 to 2 times as fast
        on processors with AVX-512 BF16 or AMX, and what is always done on a GPU. A teacher answers in it, too.
    """

    epochs: int = 60
    batch: int = 64
    optimiser: Optimiser = "sgd"
    learning_rate: float = 0.05
    warmup: float = 0.25
    momentum: float = 0.9
    weight_decay: float = 5e-4
    patience: int = 0
    label_smoothing: float = 0.02
    class_power: float = 0.5
    sampling_power: float = 0.0
    prior_balance: float = 0.1
    prior_floor: float = 0.02
    guide_weight: float = 0.5
    guide_image_weight: float = 1.0
    mixup: float = 0.0
    dropout: float = 0.0
    distil_weight: float = 0.9
    distil_temperature: float = 2.0
    ema: float = 0.998
    normalise: Normalise = "scale"
    clip: float = 10.0
    rotate: float = 0.5
    shift: float = 2.0
    gain: float = 0.03
    offset: float = 0.01
    noise: float = 0.0
    blur: float = 0.0
    background: float = 0.0
    members: int = 1
    symmetries: int = 1
    validation: float = 0.1
    test: float = 0.2
    bfloat16: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers that no run could use, by the name of the first."""
        not_negative = ("patience", "class_power", "sampling_power", "guide_weight", "guide_image_weight", "mixup")
        jitter = ("shift", "gain", "offset", "noise", "blur", "background", "weight_decay")
        rules = (
            ("epochs", self.epochs >= 1, "1 or more"),
            ("batch", self.batch >= 2, "2 or more: batch norm needs two cells"),
            ("optimiser", self.optimiser in ("sgd", "adam"), "sgd or adam"),
            ("learning_rate", self.learning_rate > 0, "above 0"),
            ("momentum", 0 < self.momentum < 1, "above 0, below 1"),
            ("label_smoothing", 0 <= self.label_smoothing < 1, "0 or more, below 1"),
            ("warmup", 0 < self.warmup < 1, "between 0 and 1"),
            ("clip", self.clip > 0, "above 0"),
            ("prior_balance", 0 <= self.prior_balance <= 1, "0 to 1"),
            ("prior_floor", 0 <= self.prior_floor < 0.5, "0 or more, below 0.5"),
            ("dropout", 0 <= self.dropout < 1, "0 or more, below 1"),
            ("rotate", 0 <= self.rotate <= 1, "0 to 1"),
            ("distil_weight", 0 <= self.distil_weight <= 1, "0 to 1"),
            ("distil_temperature", self.distil_temperature > 0, "above 0"),
            ("ema", 0 <= self.ema < 1, "0 or more, below 1"),
            ("normalise", self.normalise in ("scale", "percentile", "quantile"), "scale, percentile or quantile"),
            ("members", 1 <= self.members <= 32, "1 to 32"),
            ("symmetries", self.symmetries in (1, 2, 4, 8), "1, 2, 4 or 8"),
            ("validation", 0 <= self.validation < 1, "0 or more, below 1"),
            ("test", 0 <= self.test < 1 - self.validation, "0 or more, with validation below 1"),
            *((field, getattr(self, field) >= 0, "0 or more") for field in (*not_negative, *jitter)),
        )
        for field, good, expected in rules:
            if not good:
                raise InputError("recipe", field, getattr(self, field), expected)
