"""What the digit at one place tells of n mod a prime power.

With digits d_i in base B, n is the sum of d_i B^i. So n mod q^e depends on d_i through d_i B^i mod
q^e alone, and for a prime q that divides B only the last few digits count.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from interp_utils.analysis.relabelling import class_means
from interp_utils.precision import at_least_float32


@at_least_float32
def power_part(
    embeddings: Float[Tensor, "digit d_model"], place: int, prime: int, exponent: int = 1
) -> Float[Tensor, "digit d_model"]:
    """The part of the embeddings of the B digits that is a function of d B^place mod q^e and not of
    d B^place mod q^(e-1): the means of the first classes less those of the second.

    Embeddings less this part, at every place, tell nothing of whether q^e divides n to who knows
    whether q^(e-1) does, if digits are read by the means of their classes.
    """
    finer, coarser = (
        _of_classes(embeddings, place, prime**e) for e in (exponent, max(exponent - 1, 0))
    )
    return finer - coarser


@at_least_float32
def residue_part(
    embeddings: Float[Tensor, "digit d_model"], prime: int
) -> Float[Tensor, "digit d_model"]:
    """Of the last digit's `power_part` of q, what tells residues other than 0 from each other. Zero
    for embeddings that know of n mod q only whether q divides n. For q that divides B.
    """
    part = power_part(embeddings, 0, prime)
    rest = torch.arange(len(embeddings), device=embeddings.device) % prime != 0
    return torch.where(rest[:, None], part - part[rest].mean(0), 0)


@at_least_float32
def divisibility_share(embeddings: Float[Tensor, "digit d_model"], prime: int) -> float:
    """The share of the last digit's `power_part` of q that is no `residue_part`: 1 where embeddings
    know divisibility alone; 1 / (q - 1) where they know all residues alike, as at random.
    """
    part, residues = power_part(embeddings, 0, prime), residue_part(embeddings, prime)
    return 1 - (residues.square().sum() / part.square().sum()).item()


@at_least_float32
def without_zero(
    embeddings: Float[Tensor, "digit d_model"], primes: Sequence[int]
) -> Float[Tensor, "digit d_model"]:
    """The embeddings with that of 0 as it were if it were nothing but a multiple of each of these
    primes: the mean of all digits plus the parts of q = each prime.
    """
    changed = embeddings.clone()
    parts = [power_part(embeddings, 0, prime)[0] for prime in primes]
    changed[0] = embeddings.mean(0) + torch.stack(parts).sum(0)
    return changed


def _of_classes(embeddings: Tensor, place: int, modulus: int) -> Tensor:
    """Each digit's embedding becomes the mean of its class, d B^place mod the modulus."""
    base = len(embeddings)
    classes = torch.arange(base, device=embeddings.device) * pow(base, place, modulus) % modulus
    which = classes.unique(return_inverse=True)[1]
    return class_means(embeddings, which)[which]
