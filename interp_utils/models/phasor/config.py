"""Which phasor network is trained."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from interp_utils.configs import FamilyConfig

if TYPE_CHECKING:
    from interp_utils.tasks import AnyTask

Harmonic = Literal[1, 2]


@dataclass(frozen=True)
class PhasorConfig(FamilyConfig):
    """A network whose activations are phases (Olin-Ammentorp and Bazhenov 2021). Sizes left None
    are taken from the task (`for_task`).

    hidden:   neurons of each hidden layer; () for none.
    inputs:   frequencies k, by which value a of either operand is the phases 2 k a / p; or how many
              phases each value has, drawn at random (both in units of pi).
    trained_inputs: whether these phases are trained.
    outputs:  frequencies k, by which class c is the phases 2 k c / p; None for the paper's code: a
              phase for each class, a half for the class itself and 0 for the others.
    bias:     whether each layer reads a constant phasor, of phase 0, beside the last one's.
    harmonic: the multiple of the last layer's phases that is compared with the codes; the paper's
              is 1. Twice a phase is the same for a phasor and its negative.
    scale:    logits are this times the similarity; the loss "cosine" needs 1.
    """

    family: ClassVar[str] = "phasor"

    hidden: tuple[int, ...] = (128,)
    inputs: tuple[int, ...] | int = (1,)
    trained_inputs: bool = False
    outputs: tuple[int, ...] | None = None
    bias: bool = False
    harmonic: Harmonic = 1
    scale: float = 1.0
    seed: int = 0
    positions: tuple[int, ...] | None = None
    n_ctx: int | None = None
    n_values: int | None = None
    d_vocab: int | None = None
    d_vocab_out: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require(_counts(self.hidden, 1), "hidden", "numbers of neurons, () for none")
        inputs = self.inputs
        is_number = type(inputs) is int and inputs >= 1
        self._require(
            is_number or (_counts(inputs, 1) and len(inputs) > 0),
            "inputs",
            "frequencies of at least 1, or how many random phases a value has",
        )
        if self.outputs is not None:
            holds = _counts(self.outputs, 1) and len(self.outputs) > 0
            self._require(holds, "outputs", "frequencies of at least 1, or None")
        for field in ("trained_inputs", "bias"):
            self._require(type(getattr(self, field)) is bool, field, "True or False")
        self._require_one_of("harmonic", Harmonic)
        self._require_real("scale", above=0.0)
        self._require_int("seed", 0)
        if self.positions is not None:
            self._require(_counts(self.positions, 0), "positions", "positions of operands")
        for field in ("n_ctx", "n_values", "d_vocab", "d_vocab_out"):
            if getattr(self, field) is not None:
                self._require_int(field, 1)

    @property
    def n_layers(self) -> int:
        return len(self.hidden) + 1

    @property
    def d_inputs(self) -> int:
        """Phases of each value."""
        return self.inputs if isinstance(self.inputs, int) else len(self.inputs)

    @property
    def d_outputs(self) -> int:
        return self.d_vocab_out if self.outputs is None else len(self.outputs)

    def for_task(self, task: AnyTask) -> PhasorConfig:
        """The same configuration with its sizes filled in from the task.

        Raises ValueError for a task that is not on a grid of operands with one answer, and where a
        size was given and the task needs another.
        """
        operands = getattr(task, "operands", ())
        if not operands or len(task.n_classes) > 1:
            raise ValueError(
                f"a phasor network reads the operands of a task with one answer, and {task.name} "
                "states none, or has several answers"
            )
        (classes,), outputs = task.n_classes, task.outputs
        if outputs not in (None, tuple(range(classes))) or task.d_vocab_out not in (None, classes):
            raise ValueError(
                f"the outputs of a phasor network are the classes: leave outputs and d_vocab_out "
                f"of {task.name} None"
            )
        if task.answer_pos != -1:
            raise ValueError(
                f"a phasor network reads whole inputs and answers at their end, and {task.name} "
                f"has its answers at position {task.answer_pos}: leave answer_pos -1"
            )
        if not isinstance(self.inputs, int):
            _require_numbers(task)
        sizes = {
            "positions": tuple(operand.position for operand in operands),
            "n_ctx": task.n_ctx,
            "n_values": max(task.grid),
            "d_vocab": task.d_vocab,
            "d_vocab_out": classes,
        }
        for field, needed in sizes.items():
            if getattr(self, field) not in (None, needed):
                raise ValueError(
                    f"{task.name} needs PhasorConfig.{field} = {needed}, got "
                    f"{getattr(self, field)}; leave it None to take it from the task"
                )
        return dataclasses.replace(self, **sizes)


def _counts(value: object, low: int) -> bool:
    return isinstance(value, tuple) and all(type(each) is int and each >= low for each in value)


def _require_numbers(task: AnyTask) -> None:
    """Raises ValueError unless value n of every operand is token n, and all have as many values."""
    numbers = torch.arange(max(task.grid))
    if not all(operand.tokens.cpu().equal(numbers) for operand in task.operands):
        raise ValueError(
            f"input frequencies are for operands whose value n is token n, all with as many "
            f"values, and those of {task.name} are not: set PhasorConfig.inputs to a number of "
            f"random phases"
        )
