"""Which simplified blocks are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from interp_utils.configs import FamilyConfig
from interp_utils.configs.model import Activation, Attention

if TYPE_CHECKING:
    from interp_utils.tasks import AnyTask

Form = Literal["sequential", "parallel"]
Mixing = Literal["shaped", "skip_init"]
Normalization = Literal["RMS"]


@dataclass(frozen=True)
class BlocksConfig(FamilyConfig):
    """Simplified blocks (He and Hofmann 2023, arXiv 2311.01906): no skip around attention, W_V and
    W_O the identity, so that head h mixes the h-th part of the residual stream over positions.
    Sizes left None are taken from the task.

    form:    "sequential" (SAS), where the MLP reads what attention wrote and has a skip, or
             "parallel" (SAS-P), where both read the block's input and nothing skips them.
    mixing:  of a head, alpha I + beta A - gamma C ("shaped"), with A the softmax's weights and C
             uniform over the positions that may be seen; alpha = beta = gamma = 1 and W_Q = 0 at
             first, so that it starts as I. Or alpha I + beta A ("skip_init", Value-SkipInit of He
             et al. 2023, equation 1 of Syrkis's slides), with alpha = 1, beta = 0 and W_Q drawn.
    first_value: whether the first layer has values x (I + dW), with dW = 0 at first.
    normalization: "RMS", with a trained scale, before attention, the MLP and the unembedding; None
             for none (their code keeps a LayerNorm before the first attention).
    mlp_gain: what the MLP's output is multiplied by at first; they take 0.1 for 18 layers,
             O(1 / sqrt(n_layers)).
    decay_gains: whether weight decay takes from the gains as well: alpha, beta and gamma, and the
             two by which the outputs of attention and MLP are multiplied. Theirs have none.
    """

    family: ClassVar[str] = "blocks"

    d_model: int = 128
    n_heads: int = 4
    d_mlp: int = 512
    n_layers: int = 1
    act_fn: Activation = "relu"
    form: Form = "sequential"
    mixing: Mixing = "shaped"
    first_value: bool = True
    normalization: Normalization | None = None
    attention: Attention = "causal"
    mlp_gain: float = 1.0
    decay_gains: bool = False
    seed: int = 0
    n_ctx: int | None = None
    d_vocab: int | None = None
    d_vocab_out: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("d_model", "n_heads", "d_mlp", "n_layers"):
            self._require_int(field, 1)
        for field in ("n_ctx", "d_vocab", "d_vocab_out"):
            if getattr(self, field) is not None:
                self._require_int(field, 1)
        self._require_int("seed", 0)
        for field, options in {
            "act_fn": Activation,
            "form": Form,
            "mixing": Mixing,
            "attention": Attention,
        }.items():
            self._require_one_of(field, options)
        if self.normalization is not None:
            self._require_one_of("normalization", Normalization)
        for field in ("first_value", "decay_gains"):
            self._require(type(getattr(self, field)) is bool, field, "True or False")
        self._require_real("mlp_gain")
        self._require(
            self.d_model % self.n_heads == 0,
            "d_model",
            f"a multiple of n_heads = {self.n_heads}, since each head mixes its part of the stream",
        )

    @property
    def d_head(self) -> int:
        return self.d_model // self.n_heads

    def for_task(self, task: AnyTask) -> BlocksConfig:
        """The same configuration with its sizes filled in from the task. Raises ValueError where a
        size was given and the task needs another.
        """
        return self._sized(task)
