"""What a model still answers without all that its digits' embeddings tell of one prime power."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_utils import devices
from interp_utils.analysis import divisors
from interp_utils.analysis.place_values import power_part
from interp_utils.devices import Device
from interp_utils.experiments.gcd.reading import Digits, answered
from interp_utils.experiments.rules import Row
from interp_utils.runs.run import Run
from interp_utils.tasks import Sequences

SHOWN = 20  # pairs with each gcd
CONTROLS = 3  # random orders of the digits
Power = tuple[int, int]  # a prime and its exponent


def prime_powers(learned: Sequence[int], base: int) -> list[Power]:
    """The powers of the base's primes that have been learned, ascending."""
    primes = divisors.prime_factors(base)
    powers = [(q, e) for q in primes for e in range(1, 10) if q**e in learned]
    return sorted(powers, key=lambda power: power[0] ** power[1])


def needed(power: Power, base: int) -> list[int]:
    """The places whose digits n mod q^e depends on."""
    q, e = power
    return [place for place in range(64) if pow(base, place, q**e)]


def without_power(
    run: Run, learned: Sequence[int], power: Power, as_if: Tensor | None = None
) -> Digits:
    """Embeddings without all that the digits at each place tell of n mod q^e and of the higher
    powers of q that have been learned, to who knows n mod q^(e-1): their parts (`power_part`).

    as_if: as a control, the classes of digits are those of digits in this order.
    """
    W_E, (q, lowest) = embeddings(run), power
    exponents = [e for r, e in prime_powers(learned, len(W_E)) if r == q and e >= lowest]
    same = torch.arange(len(W_E)) if as_if is None else as_if
    found = {}
    for place in range(run.task.spelling.width):
        if place in needed((q, max(exponents)), len(W_E)):
            parts = [power_part(W_E[same], place, q, e) for e in exponents]
            found[place] = W_E.clone()
            found[place][same] -= torch.stack(parts).sum(0)
    return found


def ablations(run: Run, learned: Sequence[int], device: Device = None) -> Row:
    """What is left of the gcds learned, and what is answered, without a prime power.

    Lists have a number for each prime power learned; multiples of a composite base, which end in 0,
    are for themselves. "multiples merged": the share of its multiples whose most frequent answer is
    that of the largest gcd learned that divides them and is no multiple. "others apart": how many
    answers the gcds that are no multiples have, over how many these are. "at random": the classes
    of digits are those of digits in random order.
    """
    base, pairs = run.task.spelling.base, few(run, learned)
    gcds = run.task.gcds(pairs)
    plain = [k for k in learned if k not in ends_in_zero(learned, base)]

    def left(power: Power, as_if: Tensor | None = None) -> tuple[Tensor, dict[int, float]]:
        digits = without_power(run, learned, power, as_if)
        said = answered(run, pairs, device=device, digits=digits)
        return said, right(said, gcds)

    matrix: dict[str, list[float]] = {}
    found: dict[str, list[float]] = {}
    for power in prime_powers(learned, base):
        number = power[0] ** power[1]
        said, shares = left(power)
        at_random = [left(power, each) for each in orders(base)]
        matrix[str(number)] = list(shares.values())
        own = {
            "right without it, multiples": mean(shares, [k for k in plain if k % number == 0]),
            "right without it, others": mean(shares, [k for k in plain if k % number]),
            "right without as much at random": _average(mean(own, plain) for _, own in at_random),
            "multiples merged without it": merged(said, gcds, plain, number),
            "others apart without it": apart(said, gcds, plain, number),
            "multiples merged without as much at random": _average(
                merged(other, gcds, plain, number) for other, _ in at_random
            ),
        }
        for name, value in own.items():
            found.setdefault(name, []).append(value)
    return {"prime powers": list(map(int, matrix)), "left without": matrix} | found


def merged(
    said: Int[Tensor, "n"], gcds: Int[Tensor, "n"], learned: Sequence[int], number: int
) -> float:
    """The share of the multiples of a number, among the gcds learned, whose most frequent answer is
    that of the largest that divides them and is no multiple.
    """
    multiples = [k for k in learned if k % number == 0]
    others = [k for k in learned if k % number]
    partners = {k: max(d for d in others if k % d == 0) for k in multiples}
    most = _modal(said, gcds)
    return _average(most[k] == most[partner] for k, partner in partners.items())


def apart(
    said: Int[Tensor, "n"], gcds: Int[Tensor, "n"], learned: Sequence[int], number: int
) -> float:
    """How many most frequent answers the gcds learned have that are no multiples of a number, over
    how many these are.
    """
    most = _modal(said, gcds)
    others = [most[k] for k in learned if k % number]
    return len(set(others)) / len(others)


def right(said: Int[Tensor, "n"], gcds: Int[Tensor, "n"]) -> dict[int, float]:
    """The share of right answers by gcd."""
    is_right = devices.double(said == gcds)
    return {k: is_right[gcds == k].mean().item() for k in gcds.unique().tolist()}


def few(run: Run, learned: Sequence[int]) -> Sequences:
    """Some pairs of the stratified test set with each gcd learned."""
    gcds = run.task.gcds(run.task.stratified)
    rows = [torch.nonzero(gcds == k)[:SHOWN, 0] for k in learned]
    return run.task.stratified.take(torch.cat(rows))


def orders(n: int) -> list[Int[Tensor, "n"]]:
    """The random orders of controls."""
    return [order(n, seed) for seed in range(CONTROLS)]


def ends_in_zero(learned: Sequence[int], base: int) -> list[int]:
    """Multiples of a composite base. Those of a prime are its powers, and what is read of them."""
    return [k for k in learned if k % base == 0 and [base] != divisors.prime_factors(base)]


def embeddings(run: Run) -> Float[Tensor, "digit d_model"]:
    return run.weights()["embed.W_E"][: run.task.spelling.base]


def order(n: int, seed: int) -> Int[Tensor, "n"]:
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def _modal(said: Int[Tensor, "n"], gcds: Int[Tensor, "n"]) -> dict[int, int]:
    """The most frequent answer by gcd."""
    return {k: int(said[gcds == k].mode().values) for k in gcds.unique().tolist()}


def _average(values: Iterable[float]) -> float:
    return statistics.fmean(values)


def mean(shares: Mapping[int, float], gcds: Sequence[int]) -> float:
    return sum(shares[k] for k in gcds) / len(gcds) if gcds else math.nan
