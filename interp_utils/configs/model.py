"""Which model is trained: the record of any family, and that of the transformer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from interp_utils.configs.base import C, Config

if TYPE_CHECKING:
    from interp_utils.tasks import AnyTask

Activation = Literal["relu", "gelu", "silu"]
Biases = Literal["none", "mlp", "all"]
Attention = Literal["causal", "bidirectional"]
Init = Literal["transformer_lens", "paper"]
Normalization = Literal["LN", "LNPre", "RMS", "RMSPre"]


class FamilyConfig(Config):
    """A model's configuration, whose class names the family of models it belongs to.

    The configuration of a family is a frozen dataclass that inherits from this one, with a field
    `seed` for initial values. A `models.Family` of the same name makes models from it.
    """

    family: ClassVar[str]
    n_layers: int = 1  # a field in families with several layers

    def to_json(self) -> dict[str, Any]:
        return {"family": self.family, **super().to_json()}

    @classmethod
    def from_json(cls: type[C], values: dict[str, Any]) -> C:
        """Values without a family are a transformer's, from before there were other families."""
        family = values.get("family", ModelConfig.family)
        if family != cls.family:
            raise ValueError(f"{cls.__name__} is of the family {cls.family!r}, got {family!r}")
        return super().from_json({name: v for name, v in values.items() if name != "family"})

    def for_task(self: C, task: AnyTask) -> C:
        """The same configuration with the sizes that the task requires. Raises ValueError where the
        configuration has other sizes.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define for_task(task), which returns the configuration "
            "with the task's sizes"
        )

    def _sized(self: C, task: AnyTask) -> C:
        """`for_task` of a family whose sizes are n_ctx, d_vocab and d_vocab_out."""
        outputs = sum(task.n_classes) if task.d_vocab_out is None else task.d_vocab_out
        sizes = {"n_ctx": task.n_ctx, "d_vocab": task.d_vocab, "d_vocab_out": outputs}
        for field, needed in sizes.items():
            if getattr(self, field) not in (None, needed):
                raise ValueError(
                    f"{task.name} needs {type(self).__name__}.{field} = {needed}, got "
                    f"{getattr(self, field)}; leave it None to take it from the task"
                )
        return dataclasses.replace(self, **sizes)


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
    init_scale: every initial weight matrix times this (Liu et al. 2022, Omnigrok).
    """

    family: ClassVar[str] = "transformer"
    added: ClassVar[frozenset[str]] = frozenset(
        {"positions", "attention", "normalization", "init_scale"}
    )

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
    init_scale: float = 1.0
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
        self._require_real("init_scale", above=0.0)
        self._require(type(self.positions) is bool, "positions", "True or False")

    def for_task(self, task: AnyTask) -> ModelConfig:
        """The same configuration with its sizes filled in from the task.

        Raises ValueError where a size was given and the task needs another, e.g. a configuration
        for another p.
        """
        return self._sized(task)
