"""Which remainders can be read off what the answer is read from, and what is answered without."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_utils import models
from interp_utils.analysis import probes, sieves
from interp_utils.devices import Device
from interp_utils.experiments.rules import Row
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run
from interp_utils.tasks import FreshPrimality

PROBED = (2, 3, 5, 7, 11, 13)
SHUFFLES = 20


class Stream(NamedTuple):
    """The residual stream where the answer is read, and the read-out: logits are
    streams @ W_U + b_U. An input is one number, or what a row's numbers have before their last
    digit, whose remainders are theirs with another name; prime is of each answer.
    """

    streams: Float[Tensor, "n d_model"]
    numbers: Int[Tensor, "n"]
    prime: Bool[Tensor, "n answer"]
    W_U: Float[Tensor, "d_model c"]
    b_U: Float[Tensor, "c"]
    mask: Bool[Tensor, "n"]

    def only(self, which: Bool[Tensor, "n"]) -> Stream:
        """The stream of some inputs alone."""
        of_inputs = (self.streams[which], self.numbers[which], self.prime[which])
        return Stream(*of_inputs, self.W_U, self.b_U, self.mask[which])

    def margins(self, streams: Float[Tensor, "n d_model"]) -> Float[Tensor, "n answer"]:
        """The log odds of a prime, with these streams in place of the model's."""
        logits = (streams @ self.W_U + self.b_U).unflatten(1, (-1, 2))
        return logits[..., 1] - logits[..., 0]


def stream(run: Run, device: Device = None, trained: bool = True) -> Stream:
    """The stream of a run at its last snapshot, or at its initial weights where trained is False.
    Its mask marks the training inputs, or half of the test numbers where numbers are drawn afresh.
    """
    config, task = run.config.model, run.task
    weights = run.weights() if trained else models.initial_weights(config)
    model = models.build(config, weights, device)
    if isinstance(task, FreshPrimality):
        streams = CachedModel(model, task.test).activation("resid_post", 0)[:, -1]
        numbers, prime = task.numbers(task.test), task.test.labels[:, -1:] == 1
        mask = torch.arange(len(numbers)) < len(numbers) // 2
    else:
        streams = CachedModel(model, task).activation("resid_post", 0)
        numbers = task.numbers[:, 0] // task.base if task.endings else task.numbers
        prime = task.labels.reshape(len(task), -1) == 1
        mask = task.train_mask
    W_U = weights["unembed.W_U"].float().cpu()
    b_U = weights.get("unembed.b_U", torch.zeros(W_U.shape[1])).float().cpu()
    return Stream(streams.float().cpu(), numbers, prime, W_U, b_U, mask)


def row(run: Run, device: Device = None) -> Row:
    """For each q of `PROBED`, of inputs that the probe for n mod q was not fitted on:

    the accuracy of the probe; of the same probe at initial weights; the highest of probes for
    remainders in random order; and that of guessing the usual remainder of primes, and that of
    other numbers (answers alone tell as much). Then the model's AUC, that without the direction
    which tells multiples of q from other numbers, and the lowest of those without a direction that
    tells as many random numbers. These three, where q does not divide the base, among numbers that
    share no factor with it: what is known of the others does not hide what is lost.
    """
    own, initial = stream(run, device), stream(run, device, trained=False)
    is_left = torch.gcd(own.numbers, torch.tensor(run.task.base)) == 1
    left = own if own.prime.shape[1] > 1 else own.only(is_left)  # of a row's, all are
    values: Row = {}
    for q in PROBED:
        classes, mask = own.numbers % q, own.mask
        shuffled = probes.shuffled_accuracies(own.streams, classes, fit=mask, n_shuffles=SHUFFLES)
        untrained = probes.probe(initial.streams, classes, fit=mask)
        among = own if run.task.base % q == 0 else left
        multiples = among.numbers % q == 0
        values |= {
            f"n mod {q} read": probes.probe(own.streams, classes, fit=mask).accuracy,
            f"n mod {q} read at initial weights": untrained.accuracy,
            f"n mod {q} read, shuffled": shuffled.max().item(),
            f"n mod {q} read, by the answer alone": by_answers(classes, own.prime, mask),
            f"AUC with multiples of {q}": auc(among, among.streams),
            f"AUC without multiples of {q}": auc(among, without(among, multiples)),
            f"AUC without as many as multiples of {q}": min(
                auc(among, without(among, which)) for which in shuffles(multiples)
            ),
        }
    return values


def without(own: Stream, which: Bool[Tensor, "n"]) -> Float[Tensor, "n d_model"]:
    """The streams, from which it cannot be read any more which these numbers are."""
    return probes.erased(own.streams, which.long(), fit=own.mask)


def shuffles(which: Bool[Tensor, "n"]) -> list[Bool[Tensor, "n"]]:
    """Marks as many numbers as `which` does, but at random; `SHUFFLES` such masks."""
    generator = torch.Generator().manual_seed(0)
    orders = (torch.randperm(len(which), generator=generator) for _ in range(SHUFFLES))
    return [which[order] for order in orders]


def called_prime(own: Stream, streams: Float[Tensor, "n d_model"]) -> dict[str, float]:
    """The share that is called prime of the primes, and of other numbers by their least divisor of
    `PROBED`, outside of the mask; a number is called prime whose odds are above those of a prime
    among all. Raises ValueError for inputs of several numbers.
    """
    if own.prime.shape[1] > 1:
        raise ValueError(
            f"every input must be one number, got inputs of {own.prime.shape[1]} numbers: take a "
            "run on single numbers, as of tasks.primality"
        )
    share = own.prime[own.mask].double().mean()
    said = own.margins(streams)[:, 0] > (share / (1 - share)).log()
    prime, rest = own.prime[:, 0], ~own.mask
    groups, left = {"primes": prime}, ~prime
    for q in PROBED:
        groups[f"{q} divides"], left = left & (own.numbers % q == 0), left & (own.numbers % q != 0)
    groups["others"] = left
    return {name: said[of & rest].double().mean().item() for name, of in groups.items()}


def by_answers(
    classes: Int[Tensor, "n"], prime: Bool[Tensor, "n answer"], mask: Bool[Tensor, "n"]
) -> float:
    """The accuracy, outside of the mask, of guessing the most frequent class in it among
    inputs with the same answers.
    """
    kinds = prime.long() @ (2 ** torch.arange(prime.shape[1]))
    usual = classes[mask].bincount().argmax()
    guess = torch.full((int(kinds.max()) + 1,), int(usual))
    for kind in kinds[mask].unique().tolist():
        guess[kind] = classes[mask & (kinds == kind)].bincount().argmax()
    return (guess[kinds] == classes)[~mask].double().mean().item()


def auc(own: Stream, streams: Tensor) -> float:
    """The AUC of the log odds, over the inputs that the probe was not fitted on."""
    rest = ~own.mask
    return sieves.auc(own.margins(streams)[rest].flatten(), own.prime[rest].flatten())
