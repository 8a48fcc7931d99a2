"""Questions put to an encoder of integer sequences, and its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils import devices
from interp_utils.models.cached import CachedModel
from interp_utils.tasks import QUESTIONS, SEQUENCE_KINDS, IntegerSequences, Sequences

NAMED = {"polynomial": "degree", "periodic": "period"}  # what a variety of a kind is


class Sample(NamedTuple):
    """Sequences, as many of each kind and equally many of its varieties.

    group: a degree, a period, or a kind, by its place in `names`.
    part:  0 for the training's rules, 1 for validation's, 2 for test's.
    """

    terms: Int[Tensor, "n terms"]
    kind: Int[Tensor, "n"]
    variety: Int[Tensor, "n"]
    group: Int[Tensor, "n"]
    part: Int[Tensor, "n"]
    names: tuple[str, ...]


def sample(
    task: IntegerSequences,
    random: np.random.RandomState,
    kinds: Sequence[str],
    n: int,
    parts: Sequence[int] = (2,),
) -> Sample:
    """n sequences of each kind from each part."""
    asked = np.array([SEQUENCE_KINDS.index(kind) for kind in kinds]).repeat(n)
    drawn = [task.drawings[part].sequences(random, asked) for part in parts]
    terms = torch.from_numpy(np.concatenate(drawn))
    kind, variety = task.told(terms)
    labels = []
    for k, of in zip(kind.tolist(), variety.tolist(), strict=True):
        name = SEQUENCE_KINDS[k]
        labels.append(f"{NAMED[name]} {of}" if name in NAMED else name)
    in_order = sorted(zip(kind.tolist(), labels, strict=True))
    names = tuple(dict.fromkeys(label for _, label in in_order))
    group = torch.tensor([names.index(label) for label in labels])
    part = torch.tensor(parts).repeat_interleave(len(asked))
    return Sample(terms, kind, variety, group, part, names)


def polynomials(degree: int, n_terms: int, limit: int, n: int) -> Int[Tensor, "n terms"]:
    """n random polynomials of a degree, sum over k of c_k binomial(i - middle, k), with integer
    terms within the limit.
    """
    random, found = np.random.RandomState(0), []
    j = np.arange(n_terms) - n_terms // 2
    basis = [np.ones_like(j)]
    for k in range(1, degree + 1):
        basis.append(basis[-1] * (j - k + 1) // k)
    while sum(map(len, found)) < n:
        c = np.stack([random.randint(-limit, limit + 1, 100_000) // 4**k for k in range(degree)])
        lead = random.choice([-1, 1], 100_000)
        made = (np.concatenate([c, lead[None]])[:, :, None] * np.stack(basis)[:, None]).sum(0)
        found.append(made[(np.abs(made) <= limit).all(1)])
    return torch.from_numpy(np.concatenate(found)[:n])


def classified(
    model: CachedModel, task: IntegerSequences, terms: Int[Tensor, "n terms"]
) -> Int[Tensor, "n"]:
    """The kind that the model tells of any sequences."""
    return answers(CachedModel(model.model, asking(task, terms)), task, "classification")[0]


def asking(task: IntegerSequences, terms: Int[Tensor, "n terms"]) -> Sequences:
    """Any sequences as inputs that ask for their kinds; the labels say nothing.

    Raises ValueError for a term beyond the task's limit.
    """
    if terms.abs().max() > task.writing.limit:
        raise ValueError(
            f"terms must be in -{task.writing.limit} .. {task.writing.limit}, got "
            f"{int(terms.min())} .. {int(terms.max())}"
        )
    plain, none = terms.cpu().numpy(), np.zeros(len(terms), dtype=np.int64)
    nothing = np.zeros((len(terms), len(QUESTIONS)), dtype=np.int64)
    return task.writing.written(none, plain, plain, nothing)


def answers(
    model: CachedModel, task: IntegerSequences, question: str
) -> tuple[Int[Tensor, "n"], Int[Tensor, "n"]]:
    """What the model answers to the inputs that ask a question, by the outputs of this question,
    and what is right, both by their place among these outputs; on the CPU.
    """
    asks, outputs = task.asks(model.task, question), task.writing.outputs(question)
    asked = model.task.asked & asks[:, None]
    logits = model.logits[asked][:, outputs.start : outputs.stop]
    return logits.argmax(-1).cpu(), (model.task.labels[asked] - outputs.start).cpu()


def right(model: CachedModel, task: IntegerSequences, sample: Sample) -> Float[Tensor, "group"]:
    """The accuracy of classification for each group of a sample."""
    said, _ = answers(model, task, "classification")
    values = devices.double(said == sample.kind)
    return torch.tensor(by_group(values, sample.group, len(sample.names)))


def by_group(values: Float[Tensor, "n"], groups: Int[Tensor, "n"], n: int) -> list[float]:
    """The mean of the values of each group 0 .. n - 1. Raises ValueError for an empty group."""
    counts = groups.bincount(minlength=n)
    if len(counts) > n or not counts.all():
        raise ValueError(f"each of {n} groups must have values, got {counts.tolist()}")
    return (values.new_zeros(n).index_add(0, groups, values) / counts).tolist()


def share(holds: Bool[Tensor, "n"]) -> float:
    return devices.double(holds).mean().item()
