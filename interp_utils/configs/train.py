"""How a model is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from interp_utils.configs.base import Config

Forward = Literal["auto", "table", "hooked"]
Loss = Literal["relative", "float64_log_softmax", "log_softmax", "stablemax", "cosine"]
Products = Literal["float32", "bfloat16"]
DropoutMask = Literal["step", "sample"]
Optimiser = Literal["adamw", "adam", "sgd", "muon"]
Grokfast = Literal["none", "ema", "ma"]
GrokfastStart = Literal["first", "zero"]


@dataclass(frozen=True)
class TrainConfig(Config):
    """Step s is the state after s updates; step 0 is the initialisation.

    batch_size:     inputs per step: fresh ones of a task that draws them; of a finite task its
                    training inputs, each once an epoch, in an order that the model's seed and the
                    epoch give. None, for finite tasks alone: all training inputs at every step.
    warmup_steps:   learning rate min(s / warmup_steps, 1) x lr at update s = 0, 1, ... (the
                    paper's, so its first update changes nothing); 0 for none.
    log_every:      losses and accuracies on log-spaced steps first, then every so many steps.
    snapshot_every: weights likewise; None keeps only the first and the last.
    forward:        "table" the exact fast forward for one-layer models, "hooked"
                    HookedTransformer's own, "auto" the first where it applies.
    loss:           "relative" keeps its relative precision at any margin; "float64_log_softmax" is
                    the published one, whose digits are lost below 1e-16; "log_softmax" is torch's
                    in the weights' precision, with which large steps at small losses may undo what
                    was learned; "stablemax" puts StableMax in softmax's place; "cosine" is 1 minus
                    the similarity with the label, for families whose logits are similarities (see
                    `losses`).
    products:       "bfloat16" takes a step's matrix products in half precision (torch.autocast),
                    in float32 losses, the update, weights and rows of metrics.
    deterministic:  bitwise the same weights on the same machine, resumed or not.
    dropout:        probability with which each dimension of the residual stream is zeroed in
                    training, after attention and again after the MLP; the others are divided by 1 -
                    dropout.
    dropout_mask:   whether all inputs of a "step" share a mask (Syrkis and Søgaard 2024, released
                    code) or each "sample" has its own.
    optimiser:      "adamw" and "muon", in which weight decay is decoupled from the gradient, "adam"
                    and "sgd", in which it is an L2 penalty (see `training.optimisers`).
    momentum:       of "sgd" and of the matrices of "muon".
    weight_norm:    after every update all trained weights together are scaled to this L2 norm (Liu
                    et al. 2022, Omnigrok); None lets it change.
    perp_grad:      the optimiser gets each tensor's gradient without its component along the tensor
                    (Prieto et al. 2025), see `training.filters`.
    grokfast:       gradient filter before the optimiser: "ema" or "ma" (Lee et al. 2024), see
                    `training.filters`.
    grokfast_lambda: the share of the slow gradient that is added.
    grokfast_alpha: decay of "ema".
    grokfast_window: gradients that "ma" averages.
    grokfast_start: the mean of "ema" starts as the "first" gradient (Lee et al.) or as "zero"
    (Syrkis and Søgaard).
    """

    added: ClassVar[frozenset[str]] = frozenset(
        {
            "batch_size",
            "products",
            "optimiser",
            "momentum",
            "weight_norm",
            "perp_grad",
            "dropout",
            "dropout_mask",
            "grokfast",
            "grokfast_lambda",
            "grokfast_alpha",
            "grokfast_window",
            "grokfast_start",
        }
    )

    steps: int = 25_000
    batch_size: int | None = None
    lr: float = 1e-3
    weight_decay: float = 1.0
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-8
    warmup_steps: int = 10
    log_every: int = 100
    snapshot_every: int | None = 500
    forward: Forward = "auto"
    loss: Loss = "relative"
    products: Products = "float32"
    deterministic: bool = True
    optimiser: Optimiser = "adamw"
    momentum: float = 0.95
    weight_norm: float | None = None
    perp_grad: bool = False
    dropout: float = 0.0
    dropout_mask: DropoutMask = "step"
    grokfast: Grokfast = "none"
    grokfast_lambda: float = 2.0
    grokfast_alpha: float = 0.98
    grokfast_window: int = 100
    grokfast_start: GrokfastStart = "first"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_int("steps", 1)
        self._require_int("warmup_steps", 0)
        self._require_int("log_every", 1)
        for field in ("snapshot_every", "batch_size"):
            if getattr(self, field) is not None:
                self._require_int(field, 1)
        self._require_real("lr", above=0.0)
        self._require_real("weight_decay", low=0.0)
        self._require_real("eps", above=0.0)
        self._require(_two_shares(self.betas), "betas", "two numbers in [0, 1)")
        object.__setattr__(self, "betas", tuple(float(beta) for beta in self.betas))
        self._require_one_of("forward", Forward)
        self._require_one_of("loss", Loss)
        self._require_one_of("products", Products)
        self._require_one_of("optimiser", Optimiser)
        self._require_real("momentum", low=0.0)
        self._require(self.momentum < 1, "momentum", "below 1")
        if self.weight_norm is not None:
            self._require_real("weight_norm", above=0.0)
        for field in ("deterministic", "perp_grad"):
            self._require(type(getattr(self, field)) is bool, field, "True or False")
        self._require_real("dropout", low=0.0)
        self._require(self.dropout < 1, "dropout", "below 1")
        self._require_one_of("dropout_mask", DropoutMask)
        self._require_one_of("grokfast", Grokfast)
        self._require_real("grokfast_lambda", low=0.0)
        self._require_real("grokfast_alpha", low=0.0)
        self._require(self.grokfast_alpha < 1, "grokfast_alpha", "below 1")
        self._require_int("grokfast_window", 1)
        self._require_one_of("grokfast_start", GrokfastStart)

    def snapshot_steps(self) -> list[int]:
        return (
            [0, self.steps]
            if self.snapshot_every is None
            else log_then_even(self.steps, self.snapshot_every)
        )

    def log_steps(self) -> list[int]:
        """Every snapshot has its row of metrics."""
        return sorted({*log_then_even(self.steps, self.log_every), *self.snapshot_steps()})


def _two_shares(betas: Any) -> bool:
    """Whether these are two numbers in [0, 1)."""
    if type(betas) is not tuple or len(betas) != 2:
        return False
    return all(type(beta) in (int, float) and 0 <= beta < 1 for beta in betas)


def log_then_even(last: int, every: int) -> list[int]:
    """0, then doubling steps 1, 2, 4, ... below `every`, then its multiples, and `last`; sorted,
    without repeats.
    """
    doubling = [2**i for i in range(every.bit_length()) if 2**i < every]
    steps = {0, last, *doubling, *range(every, last + 1, every)}
    return sorted(step for step in steps if step <= last)
