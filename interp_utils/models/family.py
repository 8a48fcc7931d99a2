"""Families of models: what the suite asks of a family, and how the family that a configuration
names is found.

A family is a subclass of `Family`, which makes it known. Families of this package are found by
name: "transformer" is in `models/transformer`, and is imported when it is first needed.
"""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from interp_utils.configs import FamilyConfig, TrainConfig
from interp_utils.devices import Device
from interp_utils.tasks import StreamTask

if TYPE_CHECKING:
    from interp_utils.tasks import AnyTask

Weights = Mapping[str, Tensor]
# A function of weights. A family with dropout takes `masks=`, and one with mini-batches `rows=`,
# the inputs to compute.
LogitsFn = Callable[..., Float[Tensor, "n d_vocab_out"]]
MembersLogitsFn = Callable[..., Float[Tensor, "member n d_vocab_out"]]
SequenceLogitsFn = Callable[
    [Weights, Int[Tensor, "n ctx"], Bool[Tensor, "n ctx"]], Float[Tensor, "asked d_vocab_out"]
]
FAMILIES: dict[str, type[Family]] = {}


class UnknownFamily(ValueError):
    """No family of models that was imported has this name."""


class Family(ABC):
    """One kind of model: from its configuration to weights, to a model, and to logits.

    The configuration is a subclass of `FamilyConfig`; its `family` is the name that runs store.
    A model's weights are a dict of tensors under names of the family's own choice.
    """

    config: ClassVar[type[FamilyConfig]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        name = cls.config.family
        there = FAMILIES.get(name, cls)
        if (there.__module__, there.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(
                f"the family {name!r} belongs to {there.__module__}.{there.__qualname__}; choose "
                f"another name"
            )
        FAMILIES[name] = cls

    @abstractmethod
    def weight_shapes(self, config: Any) -> dict[str, tuple[int, ...]]:
        """Shape of every weight, in the one order that the suite uses."""

    @abstractmethod
    def trainable(self, config: Any) -> list[str]:
        """Names of the weights that are trained; the others keep their initial values."""

    def undecayed(self, config: Any) -> list[str]:
        """Names of the trained weights that weight decay leaves alone."""
        return []

    @abstractmethod
    def initial_weights(self, config: Any) -> dict[str, Tensor]:
        """Weights at step 0 on the CPU, drawn from a generator of their own with config.seed."""

    def canonical_weights(
        self, config: Any, weights: Mapping[str, Any], **options: Any
    ) -> dict[str, Tensor]:
        """Copies of weights that were saved elsewhere, by the family's names. They may be arranged
        in another way (options). Shapes and values are not checked.
        """
        if options:
            raise TypeError(f"the family {config.family!r} takes none of {sorted(options)}")
        return {name: weight.detach().clone() for name, weight in weights.items()}

    @abstractmethod
    def build(
        self, config: Any, weights: Weights | None = None, device: Device = None, **options: Any
    ) -> nn.Module:
        """A model with these weights (default: the initial ones). Weights that are not trained are
        frozen. A `CachedModel` needs a model with hooks, as in TransformerLens's HookedRootModule.
        """

    @abstractmethod
    def logits_fn(
        self, config: Any, tokens: Int[Tensor, "n ctx"], kind: str = "auto", answer_pos: int = -1
    ) -> LogitsFn:
        """A function from weights to the logits of all `tokens` at one position.

        kind: "auto", or the name of one way to compute logits where the family has several.
        """

    def sequence_logits_fn(
        self, config: Any, kind: str = "auto", device: Device = None
    ) -> SequenceLogitsFn:
        """A function from weights, tokens and a mask of positions to the logits at those positions,
        in the mask's order.
        """
        raise ValueError(
            f"the family {config.family!r} has no forward for sequences with several answers: "
            f"train it on a task with one answer per input"
        )

    def members_logits_fn(
        self, config: Any, tokens: Int[Tensor, "member n ctx"], answer_pos: int = -1
    ) -> MembersLogitsFn:
        """A function from weights with a leading member axis to the logits of each member's own
        tokens, or of its `rows` of them, Int "member k".
        """
        raise NotImplementedError(
            f"{type(self).__name__} lets check_members pass, so it must define members_logits_fn"
        )

    def has_similarities(self, config: Any) -> bool:
        """Whether logits are similarities, from -1 to 1, with a code of each class."""
        return False

    def check(self, config: Any, task: AnyTask, training: TrainConfig) -> None:
        """Raises ValueError where a model cannot be trained on a task under these settings."""
        if training.dropout:
            raise ValueError(
                f"the family {config.family!r} has no dropout: leave TrainConfig.dropout 0"
            )
        if training.forward != "auto":
            raise ValueError(
                f"the family {config.family!r} has one forward: leave TrainConfig.forward "
                f'"auto", got "{training.forward}"'
            )
        if training.batch_size is not None and not isinstance(task, StreamTask):
            raise ValueError(
                f"the family {config.family!r} is trained on all inputs at once: leave "
                f"TrainConfig.batch_size None, got {training.batch_size}"
            )

    def check_members(self, config: Any, training: TrainConfig) -> None:
        """Raises ValueError where many such models cannot be trained as one computation."""
        raise ValueError(
            f"train_many has no forward of many models for the family {config.family!r}; use train"
        )

    def floats_per_input(self, config: Any) -> int:
        """About how many numbers the forward of many models holds at once for one input."""
        raise NotImplementedError(
            f"{type(self).__name__} lets check_members pass, so it must define floats_per_input"
        )


def family_named(name: Any) -> Family:
    """The family of this name. Raises UnknownFamily, naming the known ones, if there is none."""
    if name not in FAMILIES and isinstance(name, str) and name.isidentifier():
        home = f"{__package__}.{name}"
        if importlib.util.find_spec(home) is not None:
            importlib.import_module(home)
    if name not in FAMILIES:
        raise UnknownFamily(
            f"the model is of the family {name!r}, and {sorted(FAMILIES)} are known: import the "
            f"module that defines this family, then try again"
        )
    return FAMILIES[name]()


def family_of(config: FamilyConfig) -> Family:
    return family_named(config.family)


def config_from_json(values: Mapping[str, Any]) -> FamilyConfig:
    """The configuration with these stored values, by its family; without one, a transformer's.

    Raises UnknownFamily, or ValueError for unknown or missing fields.
    """
    family = family_named(values.get("family", "transformer"))
    return family.config.from_json(dict(values))


def weight_shapes(config: FamilyConfig) -> dict[str, tuple[int, ...]]:
    """Shape of every weight by its name, in the one order that the suite uses."""
    return family_of(config).weight_shapes(config)


def trainable(config: FamilyConfig) -> list[str]:
    """Names of the weights that are trained; the others keep their initial values."""
    return family_of(config).trainable(config)


def undecayed(config: FamilyConfig) -> list[str]:
    """Names of the trained weights that weight decay leaves alone."""
    return family_of(config).undecayed(config)


def initial_weights(config: FamilyConfig) -> dict[str, Tensor]:
    """Weights at step 0, on the CPU, drawn from a generator of their own."""
    return family_of(config).initial_weights(config)


def build(
    config: FamilyConfig, weights: Weights | None = None, device: Device = None, **options: Any
) -> nn.Module:
    """A model with these weights (default: `initial_weights(config)`). Weights that are not trained
    are frozen. device None is a GPU where there is one.

    options: the family's own, e.g. `bridge=True` for a transformer as a TransformerBridge.
    """
    return family_of(config).build(config, weights, device, **options)


def logits_fn(
    config: FamilyConfig, tokens: Int[Tensor, "n ctx"], kind: str = "auto", answer_pos: int = -1
) -> LogitsFn:
    """A function from weights to the logits of all `tokens` at one position, by default the last.

    kind: for a transformer "table" (one layer only), "hooked", or "auto": "table" where it applies,
    else "hooked".
    """
    return family_of(config).logits_fn(config, tokens, kind, answer_pos)


def sequence_logits_fn(
    config: FamilyConfig, kind: str = "auto", device: Device = None
) -> SequenceLogitsFn:
    """A function from weights, tokens and a mask of positions to the logits at those positions, in
    the mask's order.

    kind: as for `logits_fn`.
    """
    return family_of(config).sequence_logits_fn(config, kind, device)


def members_logits_fn(
    config: FamilyConfig, tokens: Int[Tensor, "member n ctx"], answer_pos: int = -1
) -> MembersLogitsFn:
    """The forward of many models of one configuration at once: from weights with a leading member
    axis, each on its own tokens, or on its `rows` of them, Int "member k".
    """
    return family_of(config).members_logits_fn(config, tokens, answer_pos)


def canonical_weights(
    config: FamilyConfig, weights: Mapping[str, Any], **options: Any
) -> dict[str, Tensor]:
    """Copies of weights that were saved elsewhere, under the family's names and in the family's
    arrangement. Shapes and values are not checked.

    options: the family's own; for a transformer those of `models.from_weights`.
    """
    return family_of(config).canonical_weights(config, weights, **options)
