"""How a model reads divisors off digits: by prime powers, by residues or zeros, place by place."""

from __future__ import annotations

from collections.abc import Sequence

from interp_utils import devices
from interp_utils.analysis import divisors
from interp_utils.analysis.place_values import (
    divisibility_share,
    power_part,
    residue_part,
    without_zero,
)
from interp_utils.devices import Device
from interp_utils.experiments.gcd import neurons
from interp_utils.experiments.gcd.ablation import (
    ablations,
    embeddings,
    ends_in_zero,
    few,
    mean,
    needed,
    order,
    prime_powers,
    right,
    without_power,
)
from interp_utils.experiments.gcd.reading import Digits, answered
from interp_utils.experiments.rules import Row
from interp_utils.models.cached import CachedModel
from interp_utils.runs.run import Run
from interp_utils.tasks import Sequences

LARGEST_BASE = 30  # whose pairs of last digits are all looked at


def measure(run: Run, learned: Sequence[int], device: Device = None) -> Row:
    """Everything below as a row, of a run that has learned a gcd besides 1 from fresh pairs. Empty
    where digits have no place of their own.
    """
    powers = prime_powers(learned, run.task.spelling.base)
    if run.task.spelling.separators or not powers or run.task.data is not None:
        return {}
    found = ablations(run, learned, device) | of_zero(run, learned, device)
    found |= of_residues(run, learned, device) | places(run, learned, device)
    return found | neurons.measure(run, device) if run.task.spelling.base <= LARGEST_BASE else found


def of_zero(run: Run, learned: Sequence[int], device: Device = None) -> Row:
    """Multiples of a composite base, which end in 0: whether the base itself stays right without
    each of its primes, and all of them without what the digit 0 has beyond being a multiple of the
    primes.
    """
    base, pairs = run.task.spelling.base, few(run, learned)
    ends, primes = ends_in_zero(learned, base), divisors.prime_factors(base)
    if not ends:
        return {}

    def left(digits: Digits) -> dict[int, float]:
        said = answered(run, pairs, device=device, digits=digits)
        return right(said, run.task.gcds(pairs))

    without_own = left({0: without_zero(embeddings(run), primes)})
    found = {
        "multiples of the base, right without zero's own part": mean(without_own, ends),
        "others, right without zero's own part": mean(
            without_own, [k for k in learned if k not in ends]
        ),
    }
    if base in ends:
        without = [left(without_power(run, [q], (q, 1))) for q in primes if q in learned]
        found["the base, right without a prime"] = [shares[base] for shares in without]
    return found


def of_residues(run: Run, learned: Sequence[int], device: Device = None) -> Row:
    """Whether what the last digit tells of n mod an odd prime is read as a residue, or only whether
    it is 0. Lists have a number for each such prime that has been learned: the share of right
    answers without what tells the other residues from each other, and of its multiples, but for
    those of the base, without all else that tells of the prime.
    """
    W_E, pairs = embeddings(run), few(run, learned)
    base, gcds = len(W_E), run.task.gcds(pairs)
    primes = [q for q in divisors.prime_factors(base) if q > 2 and q in learned]
    without_residues, without_divisibility = [], []
    for q in primes:
        residues = residue_part(W_E, q)
        rest = power_part(W_E, 0, q) - residues
        for found, digits, of in (
            (without_residues, W_E - residues, learned),
            (without_divisibility, W_E - rest, [k for k in learned if k % q == 0]),
        ):
            said = answered(run, pairs, device=device, digits={0: digits})
            ends = ends_in_zero(learned, base) if found is without_divisibility else []
            found.append(mean(right(said, gcds), [k for k in of if k not in ends]))
    return {
        "divisibility share": {str(q): divisibility_share(W_E, q) for q in primes},
        "right without residues": without_residues,
        "multiples, right without divisibility": without_divisibility,
    }


def places(run: Run, learned: Sequence[int], device: Device = None) -> Row:
    """The share of answers that change where the digits at a place, of both operands, are those of
    another pair; and attention to places, at the last answer, heads summed and averaged.
    """
    task, pairs = run.task, few(run, learned)
    base, width = task.spelling.base, task.spelling.width
    before, changed = answered(run, pairs, device=device), []
    for place in range(width):
        tokens = pairs.tokens.clone()
        at = list(task.spelling.positions(place))
        tokens[:, at] = tokens[order(len(tokens), place)][:, at]
        other = Sequences(pairs.name, tokens, pairs.labels, pairs.d_vocab)
        changed.append(devices.double(answered(run, other, device=device) != before).mean().item())
    count = 1 + max(max(needed(power, base)) for power in prime_powers(learned, base))
    pattern = CachedModel(run.model(device=device), pairs).activation("pattern", 0, pos=None)
    last = pattern[:, :, -1].mean((0, 1))
    by_place = [
        sum(last[position].item() for position in task.spelling.positions(place))
        for place in range(width)
    ]
    return {
        "places that count": count,
        "answers changed by place": changed,
        "answers changed by the last digits": max(changed[:count]),
        "answers changed by other digits": max(changed[count:], default=0.0),
        "attention by place": by_place,
        "attention to the last digits": sum(by_place[:count]),
    }
