"""What a run is made of: two frozen, JSON-able records. Defaults are TransformerLens's
Grokking_Demo, with the paper's warm-up.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, get_args

if TYPE_CHECKING:
    from interp_utils.tasks import AnyTask

Activation = Literal["relu", "gelu", "silu"]
Biases = Literal["none", "mlp", "all"]
Attention = Literal["causal", "bidirectional"]
Init = Literal["transformer_lens", "paper"]
Normalization = Literal["LN", "LNPre", "RMS", "RMSPre"]
Forward = Literal["auto", "table", "hooked"]
Loss = Literal["relative", "float64_log_softmax"]
DropoutMask = Literal["step", "sample"]
Optimiser = Literal["adamw", "adam"]
Grokfast = Literal["none", "ema", "ma"]
GrokfastStart = Literal["first", "zero"]
C = TypeVar("C", bound="_Config")


class _Config:
    """Shared by both records: JSON in and out, and a check that names the field that is wrong.

    Scalars and arrays of NumPy and torch are taken for the Python numbers they hold.
    """

    added: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if hasattr(value, "tolist"):
                value = value.tolist()
            if isinstance(value, list | tuple):
                value = tuple(each.tolist() if hasattr(each, "tolist") else each for each in value)
            object.__setattr__(self, field.name, value)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls: type[C], values: dict[str, Any]) -> C:
        """Raises ValueError for unknown or missing fields, so that a file from another version is
        never half read.

        Only fields that were `added` since the first version may be missing: their defaults mean
        what it did.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        missing, unknown = sorted(names - set(values) - cls.added), sorted(set(values) - names)
        if missing or unknown:
            raise ValueError(
                f"{cls.__name__} has the fields {sorted(names)}; missing: {missing}, unknown: "
                f"{unknown}"
            )
        return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})

    def _require(self, holds: bool, field: str, expected: str) -> None:
        if not holds:
            raise ValueError(
                f"{type(self).__name__}.{field} must be {expected}, got {getattr(self, field)!r}"
            )

    def _require_int(self, field: str, low: int) -> None:
        value = getattr(self, field)
        self._require(type(value) is int and value >= low, field, f"an integer of at least {low}")

    def _require_real(
        self, field: str, *, above: float = -math.inf, low: float = -math.inf
    ) -> None:
        value = getattr(self, field)
        holds = (
            type(value) in (int, float) and math.isfinite(value) and value > above and value >= low
        )
        self._require(
            holds,
            field,
            f"a finite number {f'above {above}' if above > -math.inf else f'of at least {low}'}",
        )

    def _require_one_of(self, field: str, options: Any) -> None:
        self._require(
            getattr(self, field) in get_args(options), field, f"one of {get_args(options)}"
        )


class FamilyConfig(_Config):
    """A model's configuration, whose class names the family of models it belongs to.

    A family's own is a frozen dataclass on this one, with a field `seed` for initial values. What
    makes models of it is a `models.Family` of the same name.
    """

    family: ClassVar[str]
    n_layers: int = 1  # a field where a family has several

    def to_json(self) -> dict[str, Any]:
        return {"family": self.family, **super().to_json()}

    @classmethod
    def from_json(cls: type[C], values: dict[str, Any]) -> C:
        """Values without a family are from before there were several, and a transformer's."""
        family = values.get("family", ModelConfig.family)
        if family != cls.family:
            raise ValueError(f"{cls.__name__} is of the family {cls.family!r}, got {family!r}")
        return super().from_json({name: v for name, v in values.items() if name != "family"})

    def for_task(self: C, task: AnyTask) -> C:
        """The same configuration with the sizes that the task determines. Raises ValueError where
        it has other ones.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class ModelConfig(FamilyConfig):
    """A decoder-only transformer. Sizes left None are taken from the task (`for_task`).

    d_mlp:  None for attention only.
    attention: "bidirectional" lets every position attend to all.
    positions: False leaves positional embeddings out (zero and not trained).
    biases: which are trained; the others stay zero. "none" is the public Grokking demo, "mlp" the
    paper.
    normalization: of the residual stream before attention, before the MLP and before the
            unembedding, as TransformerLens names it: "LN" a LayerNorm with a trained scale and
            shift, "RMS" with a trained scale and no mean taken away, "LNPre" and "RMSPre" the same
            with nothing to train; None for none.
    init:   std of every weight matrix: "transformer_lens" 0.8 / sqrt(d_model); "paper" 1 /
            sqrt(d_model), with 1 / sqrt(d_vocab_out) for W_U (Nanda et al. 2023, released code).
    """

    family: ClassVar[str] = "transformer"
    added: ClassVar[frozenset[str]] = frozenset({"positions", "attention", "normalization"})

    d_model: int = 128
    n_heads: int = 4
    d_head: int = 32
    d_mlp: int | None = 512
    n_layers: int = 1
    act_fn: Activation = "relu"
    biases: Biases = "none"
    init: Init = "transformer_lens"
    positions: bool = True
    attention: Attention = "causal"
    normalization: Normalization | None = None
    seed: int = 0
    n_ctx: int | None = None
    d_vocab: int | None = None
    d_vocab_out: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("d_model", "n_heads", "d_head", "n_layers"):
            self._require_int(field, 1)
        for field in ("d_mlp", "n_ctx", "d_vocab", "d_vocab_out"):
            if getattr(self, field) is not None:
                self._require_int(field, 1)
        self._require_int("seed", 0)
        self._require_one_of("act_fn", Activation)
        self._require_one_of("biases", Biases)
        self._require_one_of("init", Init)
        self._require_one_of("attention", Attention)
        if self.normalization is not None:
            self._require_one_of("normalization", Normalization)
        self._require(type(self.positions) is bool, "positions", "True or False")

    def for_task(self, task: AnyTask) -> ModelConfig:
        """The same configuration with its sizes filled in from the task.

        Raises ValueError where a size was given and the task needs another, e.g. a configuration
        for another p.
        """
        outputs = sum(task.n_classes) if task.d_vocab_out is None else task.d_vocab_out
        sizes = {"n_ctx": task.n_ctx, "d_vocab": task.d_vocab, "d_vocab_out": outputs}
        for field, needed in sizes.items():
            if getattr(self, field) not in (None, needed):
                raise ValueError(
                    f"{task.name} needs ModelConfig.{field} = {needed}, got "
                    f"{getattr(self, field)}; leave it None to take it from the task"
                )
        return dataclasses.replace(self, **sizes)


@dataclass(frozen=True)
class TrainConfig(_Config):
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
                    the published one, whose digits are lost below 1e-16.
    deterministic:  bitwise the same weights on the same machine, resumed or not.
    dropout:        probability with which each dimension of the residual stream is zeroed in
                    training, after attention and again after the MLP; the others are divided by 1 -
                    dropout.
    dropout_mask:   whether all inputs of a "step" share a mask (Syrkis and Søgaard 2024, released
                    code) or each "sample" has its own.
    optimiser:      "adamw", in which weight decay is decoupled from the gradient, or "adam", in
                    which it is an L2 penalty (see `training.optimisers`).
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
            "optimiser",
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
    deterministic: bool = True
    optimiser: Optimiser = "adamw"
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
        self._require_one_of("optimiser", Optimiser)
        self._require(type(self.deterministic) is bool, "deterministic", "True or False")
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


@dataclass(frozen=True)
class RunConfig:
    """Everything about a run but its task."""

    model: FamilyConfig
    train: TrainConfig
