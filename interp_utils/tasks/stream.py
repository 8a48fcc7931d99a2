"""Tasks whose inputs are drawn at random, afresh at every step, and answered at several positions.

A task of this kind is a subclass of `StreamTask` that says what is drawn, when two inputs are the
same, and how the task is restored; everything else follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from interp_utils.tasks.held_out import digests, draw_without
from interp_utils.tasks.kinds import Restorable
from interp_utils.tasks.sequences import Sequences

__all__ = ["StreamTask"]

TRAINING, VALIDATION, TEST = range(3)  # streams of random numbers


@dataclass(frozen=True, eq=False)
class StreamTask(Restorable):
    """Fresh inputs for every training step, and two fixed sets that no training step ever shows.

    Everything follows from `seed`: a step's batch depends on the seed and the step alone. A
    subclass has a `kind`, and

    draw(random, n):     n inputs with their labels.
    identity(sequences): a 64-bit number for each input, which is equal for equal inputs. Two inputs
                         with the same number by chance are treated as one: at worst an input is
                         drawn again.
    params:              the arguments that make the task again, from its fields.
    restore(about, tensors).
    shows_answers:       False where no input has an answer among its tokens, so that attention may
                         be bidirectional.
    """

    name: str
    validation: Sequences
    test: Sequences
    seed: int
    shows_answers: ClassVar[bool] = True

    @property
    def params(self) -> dict[str, Any]:
        """The arguments that all of them have; a subclass has its own beside these."""
        sizes = {"n_validation": len(self.validation), "n_test": len(self.test)}
        return {"seed": self.seed, **sizes}

    def draw(self, random: np.random.RandomState, n: int) -> Sequences:
        raise NotImplementedError(f"{type(self).__name__} must say what it draws")

    def identity(self, sequences: Sequences) -> np.ndarray:
        return digests(sequences.tokens.numpy())

    @property
    def d_vocab(self) -> int:
        return self.test.d_vocab

    @property
    def n_classes(self) -> tuple[int, ...]:
        return self.test.n_classes

    @property
    def n_ctx(self) -> int:
        return self.test.n_ctx

    @property
    def d_vocab_out(self) -> int | None:
        return self.test.d_vocab_out

    def batch(self, step: int, size: int) -> Sequences:
        """The training batch of a step. A row that is a validation or test input is drawn again."""
        random = np.random.RandomState([self.seed, TRAINING, step])
        return draw_without(self.draw, self.identity, random, size, self._held_out)

    @property
    def held_out(self) -> dict[str, Sequences]:
        """The sets that no training step ever shows, by name."""
        return {"validation": self.validation, "test": self.test}

    @cached_property
    def _held_out(self) -> np.ndarray:
        return np.unique(np.concatenate([self.identity(x) for x in self.held_out.values()]))

    def about(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "params": self.params}

    def tensors(self) -> dict[str, Tensor]:
        return {name: sequences.tokens for name, sequences in self.held_out.items()}
