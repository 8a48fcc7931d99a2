"""An encoder of integer sequences as a row of numbers: how well it answers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils import devices
from interp_utils.devices import Device
from interp_utils.experiments.rules import Row
from interp_utils.experiments.sequences import reading
from interp_utils.experiments.sequences.asking import answers, by_group, classified, share
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run
from interp_utils.tasks import QUESTIONS, SEQUENCE_KINDS, IntegerSequences

OWN_RULES = 3  # a stream of random numbers for sequences of the training's rules


def row(run: Run, device: Device = None) -> Row:
    """Accuracies are on the test sequences, whose rules are for nothing else.

    A question's skill is (accuracy - base) / (1 - base), where the base is the accuracy of the best
    constant answer: 0 is that of a guess and 1 perfection for every question.
    """
    model = CachedModel(run.model(device=device), run.task.test)
    found = facts(run) | answering(model, run.task)
    found |= on_training_rules(model, run.task) | by_classifying(model, run.task)
    return found | reading.row(run, model)


def facts(run: Run) -> Row:
    return {"kind": run.config.model.attention, "seed": run.task.seed, "steps": run.step}


def answering(model: CachedModel, task: IntegerSequences) -> Row:
    """Of each question: accuracy, base, skill, accuracy for each kind of sequence; and what is
    taken for what.
    """
    found: Row = {}
    kinds, _ = task.told(task.terms(model.task).cpu())
    for question in QUESTIONS:
        asks = task.asks(model.task, question).cpu()
        said, true = answers(model, task, question)
        right, base = devices.double(said == true), most_frequent(true)
        found |= {
            question: right.mean().item(),
            f"{question}, base": base,
            f"{question}, skill": skill(right.mean().item(), base),
            f"{question} by kind": by_group(right, kinds[asks], len(SEQUENCE_KINDS)),
        }
    said, true = answers(model, task, "classification")
    found["confusion"] = confusion(said, true, len(SEQUENCE_KINDS)).tolist()
    return found | falls(found, len(model.task) // len(QUESTIONS)) | by_place(model, task)


def falls(found: Row, n: int) -> Row:
    """The skill that is lost from each question to the next, and twice its error of sampling, at n
    inputs to a question; and the least that is lost beyond that.
    """
    lost, beyond = {}, []
    for before, after in itertools.pairwise(QUESTIONS):
        fall = found[f"{before}, skill"] - found[f"{after}, skill"]
        squares = [
            found[of] * (1 - found[of]) / n / (1 - found[f"{of}, base"]) ** 2
            for of in (before, after)
        ]
        error = 2 * math.sqrt(sum(squares))
        name = f"skill lost from {before} to {after}"
        lost |= {name: fall, f"twice the error of {name}": error}
        beyond.append(fall - error)
    return lost | {"least skill lost, beyond its error": min(beyond)}


def most_frequent(true: Int[Tensor, "n"]) -> float:
    """The accuracy of the best constant answer."""
    return int(true.bincount().max()) / len(true)


def skill(accuracy: float, base: float) -> float:
    """(accuracy - base) / (1 - base). Raises ValueError for a base of 1: nothing can be learned."""
    if base == 1:
        raise ValueError(
            "a skill needs a base below 1, got 1, where one answer is always right: take inputs "
            "with several answers"
        )
    return (accuracy - base) / (1 - base)


def by_place(model: CachedModel, task: IntegerSequences) -> Row:
    """Accuracy of unmasking by which term is hidden."""
    asks = task.asks(model.task, "unmasking")
    said, true = answers(model, task, "unmasking")
    place = model.task.asked[asks].long().argmax(1).cpu() - 1
    right = devices.double(said == true)
    each = by_group(right, place, task.writing.n_terms - 1)
    inside = right[place > 0].mean().item()
    last = share(torch.eq(*answers(model, task, "continuation")))
    return {
        "unmasking by place": each,
        "unmasking inside": inside,
        "unmasking inside, more than continuation": inside - last,
    }


def on_training_rules(model: CachedModel, task: IntegerSequences) -> Row:
    """Accuracies on fresh sequences of the rules that were trained on, less those on test."""
    random = np.random.RandomState([task.seed, OWN_RULES])
    n = len(task.test) // 2
    asked = task.drawings[0].asked(random, np.arange(n) * len(QUESTIONS) // n)
    own = CachedModel(model.model, asked)
    found = {}
    for question in QUESTIONS:
        known, held_out = (share(torch.eq(*answers(each, task, question))) for each in (own, model))
        found[f"{question}, lost on held-out rules"] = known - held_out
    return found


def by_classifying(model: CachedModel, task: IntegerSequences) -> Row:
    """Comparisons as two classifications by the same encoder: how often they are right, and how
    much more often than the answers to the comparisons themselves.
    """
    rows = task.asks(model.task, "comparison")
    tokens, n = model.task.tokens[rows], task.writing.n_terms
    said, same = answers(model, task, "comparison")
    halves = [tokens[:, 1 : n + 1], tokens[:, n + 1 :]]
    one, other = (classified(model, task, half - task.writing.limit) for half in halves)
    right = share((one == other).long() == same)
    return {
        "comparison by two classifications": right,
        "comparison gained by classifying": right - share(said == same),
    }


def confusion(
    said: Int[Tensor, "n"], true: Int[Tensor, "n"], n_classes: int
) -> Float[Tensor, "true said"]:
    """Of each class, the share of inputs that is taken for each. Raises ValueError for a class
    without inputs.
    """
    counts = (true * n_classes + said).bincount(minlength=n_classes**2).view(n_classes, n_classes)
    empty = (counts.sum(1) == 0).nonzero().flatten().tolist()
    if empty:
        raise ValueError(
            f"every class must have inputs, got none of the classes {empty[:8]}: take inputs of "
            "every class, or number only the classes that occur"
        )
    return devices.double(counts) / counts.sum(1, keepdim=True)
